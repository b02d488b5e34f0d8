package processor

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"sync"

	"github.com/millrace/millrace/processor/internal/task"
)

// health answers whether the App is alive and whether its tasks run. Workers
// and HTTP handlers share it.
type health struct {
	mu        sync.Mutex
	restoring map[task.ID]bool
	joined    bool // a task was assigned at least once
	failed    error
	addr      string // of the listener
	debugAddr string // of the one for those who run the application
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

// waiting lists the tasks whose state is being restored, in their order.
func (h *health) waiting() []task.ID {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.SortedFunc(maps.Keys(h.restoring), compareTasks)
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

func probe(check func() error) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		if err := check(); err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintln(w, "ok")
	}
}
