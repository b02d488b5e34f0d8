package worker

import (
	"context"
	"errors"
	"fmt"

	"github.com/millrace/millrace/processor/internal/graph"
	"github.com/millrace/millrace/processor/internal/task"
	"github.com/millrace/millrace/state"
)

// A record can leave something in the state that no commit can take: a value that its
// codec cannot encode, or one that is larger than the changelog takes. Only the
// commit shows it, and does not know the record. The task goes back to the commit
// before and is exact from there on: each record answers for what it leaves. What
// is left then comes of no record alone; that is searched for as narrow does.

// searchState answers a task that cannot be prepared for what is in its state.
func (w *Worker) searchState(ctx context.Context, b *batch, broken *lease, unkept *state.EntryError, reason error) error {
	bad := broken.task
	n, _ := bad.Weight()
	if err := w.land(ctx); err != nil {
		return err
	}
	leases := w.revert([]*batch{b})
	if broken.task == bad {
		exactly := false
		store, _ := w.cfg.Graph.Store(unkept.Store)
		switch {
		case errors.Is(unkept, state.ErrTooLarge) && w.relearn(ctx, store.ChangelogTopic(w.cfg.ApplicationID)):
		case !bad.Exact():
			exactly = true
			w.cfg.Events.warning(fmt.Errorf("the task goes back to its last commit, to find the record behind this: %w", reason))
		case !w.narrowState(broken, unkept, n):
			return reason
		}
		w.stopReading(broken)
		broken.drop(false)
		if exactly {
			broken.careful, broken.exact = task.CarefulRecords, true
		}
		leases = append(leases, broken)
	}
	w.busy = true
	for _, l := range leases {
		if err := w.begin(l); err != nil {
			return err
		}
	}
	return nil
}

// narrowState makes the commits of a task smaller, or blames the only record in one.
// It returns false if the failure has to end the worker.
func (w *Worker) narrowState(broken *lease, unkept *state.EntryError, n int) bool {
	switch {
	case w.cfg.Graph.Policy.OnError == graph.Fail:
		return false
	case n > 1:
		broken.slowDown(n / 2)
	case n == 1 && broken.limit != 1:
		broken.slowDown(1)
	case n == 0:
		return false
	default:
		return w.convict(broken, task.Unkept(unkept))
	}
	return true
}
