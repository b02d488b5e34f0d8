package worker

import (
	"context"
	"errors"
	"fmt"

	"github.com/millrace/millrace/processor/internal/commit"
	"github.com/millrace/millrace/state"
)

// unprepare answers a task that cannot be prepared. If its state is damaged, the
// others go back to their last commit and it is mended; anything else ends the
// worker.
func (w *Worker) unprepare(ctx context.Context, b *commit.WorkerCommit, broken *lease, reason error) error {
	var unkept *state.EntryError
	if errors.As(reason, &unkept) {
		return w.searchState(ctx, b, broken, unkept, reason)
	}
	if !errors.Is(reason, state.ErrCorrupt) {
		return reason
	}
	bad := broken.task
	if err := w.land(ctx); err != nil {
		return err
	}
	leases, err := w.revert([]*commit.WorkerCommit{b})
	if err != nil {
		return err
	}
	for _, l := range leases {
		if err := w.begin(l); err != nil {
			return err
		}
	}
	if broken.task != bad {
		return nil
	}
	return w.mend(broken, reason)
}

// mendLimit bounds how often the state of one task is read back between two
// commits that succeed.
const mendLimit = 3

// mend opens the state of one task anew and reads back what it lacks, for Kafka
// has it all. The worker's other tasks go on.
func (w *Worker) mend(l *lease, reason error) error {
	if l.mended++; l.mended > mendLimit || w.closing {
		return reason
	}
	w.cfg.Events.warning(fmt.Errorf("the state of the task is read back from its changelogs: %w", reason))
	w.routes.leave(l, w.fetcher)
	if err := l.transition(taskAborted); err != nil {
		return err
	}
	l.task.Aborted()
	l.task = nil
	if err := l.Close(false); err != nil {
		w.cfg.Events.warning(err)
	}
	if errors.Is(reason, state.ErrCorrupt) {
		if err := w.cfg.Storage.Quarantine(l.ID.String()); err != nil {
			return fmt.Errorf("%w; and it cannot be put aside: %w", reason, err)
		}
	}
	return w.restores.put(l)
}
