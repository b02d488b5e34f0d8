package worker

import (
	"context"
	"errors"
	"fmt"

	"github.com/millrace/millrace/processor/internal/commit"
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
func (w *Worker) searchState(ctx context.Context, b *commit.WorkerCommit, broken *lease, unkept *state.EntryError, reason error) error {
	bad := broken.task
	if err := w.land(ctx); err != nil {
		return err
	}
	leases, err := w.revert([]*commit.WorkerCommit{b})
	if err != nil {
		return err
	}
	if broken.task == bad {
		if err := w.searchTask(ctx, broken, unkept, reason); err != nil {
			return err
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

// searchTask has the task go back to its last commit: to keep to what the changelog
// takes by now, to be exact, or to come to a smaller commit. An error has to end
// the worker.
func (w *Worker) searchTask(ctx context.Context, l *lease, unkept *state.EntryError, reason error) error {
	n, _ := l.task.Weight()
	careful, exact := l.task.Careful(), l.task.Exact()
	relearned := errors.Is(unkept, state.ErrTooLarge) && w.limits.relearn(ctx, w.cfg.changelog(unkept.Store))
	if !relearned && exact && w.cfg.Graph.Policy.OnError == graph.Fail {
		return reason
	}
	if !relearned && exact {
		if err := w.search.halve(l, n, true, task.Unkept(unkept)); err != nil {
			return err
		}
	}
	if !relearned && !exact {
		w.cfg.Events.warning(fmt.Errorf("the task goes back to its last commit, to find the record behind this: %w", reason))
		careful, exact = task.CarefulRecords, true
	}
	w.routes.leave(l, w.fetcher)
	if err := l.drop(false); err != nil {
		return err
	}
	l.careful, l.exact = careful, exact
	return nil
}
