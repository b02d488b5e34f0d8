package processor

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// ListenAddr is the address that /metrics, /livez and /readyz are served on:
// that of Config.Listen, with the port that was chosen if it said 0. It is
// empty while nothing is served.
func (a *App) ListenAddr() string {
	a.health.mu.Lock()
	defer a.health.mu.Unlock()
	return a.health.addr
}

// DebugAddr is the address that /debug/time is served on: that of
// Config.DebugListen, with the port that was chosen if it said 0. It is empty
// while nothing is served.
func (a *App) DebugAddr() string {
	a.health.mu.Lock()
	defer a.health.mu.Unlock()
	return a.health.debugAddr
}

// Timeouts of the HTTP listeners.
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

// debugHandler serves what is for those who run the application.
func (a *App) debugHandler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /debug/time", a.serveTime)
	return mux
}

// serveAll opens both listeners, as far as they are asked for. It returns once
// the addresses are taken, with a function that waits until ctx has ended and
// nothing is served any more.
func (a *App) serveAll(ctx context.Context) (wait func(), err error) {
	first, err := a.serve(ctx, "metrics and health", a.cfg.Listen, &a.health.addr, a.handler())
	if err != nil {
		return first, err
	}
	second, err := a.serve(ctx, "debug pages", loopback(a.cfg.DebugListen), &a.health.debugAddr, a.debugHandler())
	return func() { first(); second() }, err
}

// loopback gives a port without a host the loopback interface.
func loopback(addr string) string {
	switch {
	case addr == "":
		return ""
	case !strings.Contains(addr, ":"):
		addr = ":" + addr
	}
	if addr[0] == ':' {
		return "127.0.0.1" + addr
	}
	return addr
}

// serve listens on address until ctx ends; at has what it got as long as it does.
func (a *App) serve(ctx context.Context, what, address string, at *string, handler http.Handler) (wait func(), err error) {
	if address == "" {
		return func() {}, nil
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return func() {}, fmt.Errorf("processor: serve %s: %w", what, err)
	}
	a.health.set(func() { *at = listener.Addr().String() })
	srv := &http.Server{Handler: handler, ReadHeaderTimeout: headerTimeout}
	done := make(chan struct{})
	go func() {
		defer close(done)
		err := srv.Serve(listener)
		a.health.set(func() { *at = "" })
		if !errors.Is(err, http.ErrServerClosed) {
			a.cfg.Logger.Sugar().Errorf("%s stopped: %v", what, err)
		}
	}()
	return func() {
		<-ctx.Done()
		stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTimeout)
		defer cancel()
		_ = srv.Shutdown(stop) // open requests are cut after the timeout
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
