package processor

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/millrace/millrace/processor/internal/task"
)

// health answers whether the App is alive and whether its tasks run. It is the
// only state that workers and HTTP handlers share.
type health struct {
	mu        sync.Mutex
	restoring map[task.ID]bool
	joined    bool // a task was assigned at least once
	failed    error
	addr      string // of the listener
}

func newHealth() *health { return &health{restoring: map[task.ID]bool{}} }

func (h *health) assigned(id task.ID) { h.set(func() { h.restoring[id], h.joined = true, true }) }
func (h *health) restored(id task.ID) { h.set(func() { delete(h.restoring, id) }) }
func (h *health) revoked(id task.ID)  { h.set(func() { delete(h.restoring, id) }) }
func (h *health) stopped(err error)   { h.set(func() { h.failed = err }) }

func (h *health) set(f func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	f()
}

// alive is nil until a worker has failed.
func (h *health) alive() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.failed
}

// ready is nil once this process has tasks and all of them run.
func (h *health) ready() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case h.failed != nil:
		return h.failed
	case !h.joined:
		return errors.New("no task was assigned yet")
	case len(h.restoring) > 0:
		return fmt.Errorf("%d tasks are restoring", len(h.restoring))
	}
	return nil
}

// ListenAddr is the address that /metrics, /livez and /readyz are served on:
// that of Config.Listen, with the port that was chosen if it said 0. It is
// empty while nothing is served.
func (a *App) ListenAddr() string {
	a.health.mu.Lock()
	defer a.health.mu.Unlock()
	return a.health.addr
}

// Timeouts of the HTTP listener.
const (
	headerTimeout   = 5 * time.Second
	shutdownTimeout = time.Second
)

// handler serves /metrics, /livez and /readyz.
func (a *App) handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(a.gatherer, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /livez", probe(a.health.alive))
	mux.HandleFunc("GET /readyz", probe(a.health.ready))
	return mux
}

func probe(check func() error) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		if err := check(); err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintln(w, "ok")
	}
}

// serve listens until ctx ends. It returns once the address is taken, with a
// function that waits for the end.
func (a *App) serve(ctx context.Context) (wait func(), err error) {
	if a.cfg.Listen == "" {
		return func() {}, nil
	}
	listener, err := net.Listen("tcp", a.cfg.Listen)
	if err != nil {
		return nil, fmt.Errorf("processor: serve metrics and health: %w", err)
	}
	a.health.set(func() { a.health.addr = listener.Addr().String() })
	srv := &http.Server{Handler: a.handler(), ReadHeaderTimeout: headerTimeout}
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := srv.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			a.cfg.Logger.Sugar().Errorf("metrics and health stopped: %v", err)
		}
	}()
	return func() {
		<-ctx.Done()
		stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTimeout)
		defer cancel()
		_ = srv.Shutdown(stop) // open scrapes are cut after the timeout
		<-done
	}, nil
}

// gathererOf returns what /metrics shows: the registerer itself if it can be
// read, as prometheus.Registry and DefaultRegisterer can.
func gathererOf(reg prometheus.Registerer) prometheus.Gatherer {
	if g, ok := reg.(prometheus.Gatherer); ok {
		return g
	}
	return prometheus.DefaultGatherer
}
