package processor

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"

	"github.com/millrace/millrace/processor/internal/task"
)

// health answers whether the App is alive and whether its tasks run. Workers
// and HTTP handlers share it.
type health struct {
	mu        sync.Mutex
	tasks     map[task.ID]bool // true while it is being restored
	coming    []int            // by worker: tasks that others still have to give up; notSeated, unseated
	silent    []bool           // by worker: the broker that keeps the group does not answer
	undone    []int            // by worker: commits in a row that were undone, if many
	failed    error
	addr      string // of the listener
	debugAddr string // of the one for those who run the application
}

// What a worker's coming tasks are while it has no seat in the group.
const (
	notSeated = -1 // the group has not told it its tasks yet
	unseated  = -2 // the seat is lost
)

func newHealth(workers int) *health {
	h := &health{tasks: map[task.ID]bool{}, silent: make([]bool, workers), undone: make([]int, workers)}
	for range workers {
		h.coming = append(h.coming, notSeated)
	}
	return h
}

func (h *health) seated(worker, coming int)    { h.set(func() { h.coming[worker] = coming }) }
func (h *health) unseated(worker int)          { h.set(func() { h.coming[worker] = unseated }) }
func (h *health) answered(worker int, ok bool) { h.set(func() { h.silent[worker] = !ok }) }
func (h *health) repeating(worker, n int)      { h.set(func() { h.undone[worker] = n }) }
func (h *health) assigned(id task.ID)          { h.set(func() { h.tasks[id] = true }) }
func (h *health) restored(id task.ID)          { h.set(func() { h.tasks[id] = false }) }
func (h *health) revoked(id task.ID)           { h.set(func() { delete(h.tasks, id) }) }
func (h *health) stopped(err error)            { h.set(func() { h.failed = err }) }

func (h *health) set(f func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	f()
}

// alive is nil until a worker has failed.
func (h *health) alive() (string, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return "ok", h.failed
}

// waiting lists the tasks whose state is being restored, in their order.
func (h *health) waiting() (ids []task.ID) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.restoring()
}

func (h *health) restoring() (ids []task.ID) {
	for id, is := range h.tasks {
		if is {
			ids = append(ids, id)
		}
	}
	slices.SortFunc(ids, compareTasks)
	return ids
}

// ready is nil while each worker of this process has a seat in the group, with the
// broker answering, commits get through, and all tasks run that the group has told it. There may be none:
// an instance to spare is as ready as any.
func (h *health) ready() (string, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	coming := 0
	for _, n := range h.coming {
		coming += max(n, 0)
	}
	undone := slices.Max(h.undone)
	switch restoring := len(h.restoring()); {
	case h.failed != nil:
		return "", h.failed
	case slices.Contains(h.coming, notSeated):
		return "", errors.New("the group has not assigned the tasks yet")
	case slices.Contains(h.coming, unseated):
		return "", errors.New("the seat in the consumer group is lost, and asked for again")
	case slices.Contains(h.silent, true):
		return "", errors.New("the broker that keeps the consumer group does not answer")
	case undone > 0:
		return "", fmt.Errorf("%d commits in a row were undone; the log says why", undone)
	case coming > 0:
		return "", fmt.Errorf("%d tasks have yet to be given up by other instances", coming)
	case restoring > 0:
		return "", fmt.Errorf("%d tasks are restoring", restoring)
	}
	return fmt.Sprintf("ok: %d tasks", len(h.tasks)), nil
}

func probe(check func() (string, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		text, err := check()
		if err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintln(w, text)
	}
}
