package worker

import (
	"context"
	"fmt"
	"time"

	"github.com/millrace/millrace/processor/internal/broker"
	"github.com/millrace/millrace/processor/internal/commit"
	"github.com/millrace/millrace/processor/internal/group"
)

// applied ends a commit that Kafka has: only now the state is written. Where that
// fails the state is read back, but not before what is behind the commit has
// landed: a restore in the middle of that would miss it.
func (w *Worker) applied(ctx context.Context, b *commit.WorkerCommit) error {
	w.cfg.Faults.Reach(commit.AfterEnd)
	c, mended := Committed{Tasks: len(b.Parts)}, false
	c.Outputs, c.Entries = b.Records()
	for i := range b.Parts {
		p := &b.Parts[i]
		c.Records += p.Commit.Records
		c.Offsets = append(c.Offsets, p.Commit.Offsets...)
		w.cfg.Events.counted(p.ID, p.Commit.Counters)
		l := w.leaseOf(p)
		if l == nil {
			continue // its state is going to be read back, this commit too
		}
		if !b.Early {
			if err := p.Apply(b.At); err != nil {
				if err := w.mend(l, err); err != nil {
					return err
				}
				mended = true
				continue
			}
		}
		l.settle(p.Commit)
		if p.Task.CaughtUp() {
			w.broughtUp(l)
		}
	}
	w.cfg.Faults.Reach(commit.AfterApply)
	w.undone = 0
	c.Duration = time.Since(b.Began)
	w.cfg.Events.committed(c)
	if mended {
		return w.land(ctx)
	}
	return nil
}

// undo answers commits that failed, the first for a reason of its own, the rest
// because they were behind it.
//
// If it is certain that Kafka has none of them, the tasks go back to where the
// last commit left them. If it is not (G7), nothing is assumed: a new client
// makes the broker decide, and then the tasks read what it decided.
func (w *Worker) undo(ctx context.Context, failed []*commit.WorkerCommit) error {
	v := failed[0].Verdict
	certain := true
	for _, b := range failed {
		certain = certain && b.Verdict.Outcome != commit.Unknown
	}
	if certain {
		w.cfg.Events.aborted(v.Err)
	} else {
		w.cfg.Events.unknown(v.Err)
	}
	if err := w.surrender(ctx, failed); err != nil {
		return err
	}
	leases := w.revert(failed)
	if w.closing || ctx.Err() != nil {
		w.lastWord(failed)
		return nil
	}
	w.undone++
	if group.Refused(v.Err) {
		w.held = time.Now().Add(w.cfg.HeartbeatInterval)
	} else {
		w.calmDown(v.Err)
	}
	if err := commit.Reopen(ctx, failed, w.cfg.Events.warning); err != nil {
		return err
	}
	for _, l := range leases {
		if !certain {
			w.restore(l)
		} else if err := w.begin(l); err != nil {
			return err
		}
	}
	return nil
}

// After so many commits in a row that were undone the worker says so, and tries the
// next ones at longer and longer distances: each writes to every topic anew what the
// one before has written in vain.
const (
	undonePatience = 5
	undonePause    = 100 * time.Millisecond
	undonePauseMax = 10 * time.Second
)

func (w *Worker) calmDown(reason error) {
	beyond := w.undone - undonePatience
	if beyond <= 0 {
		return
	}
	pause := min(undonePause<<min(beyond, 10), undonePauseMax)
	w.held = time.Now().Add(pause)
	w.cfg.Events.warning(fmt.Errorf("%d commits in a row were undone and are repeated, the next in %v: %w", w.undone, pause, reason))
}

// revert throws away everything the tasks of failed commits have done since, and
// returns their leases.
func (w *Worker) revert(failed []*commit.WorkerCommit) (leases []*lease) {
	for _, b := range failed {
		for i := range b.Parts {
			l := w.leaseOf(&b.Parts[i])
			if l == nil {
				continue // was in a commit before, or is being restored
			}
			w.stopReading(l)
			l.drop(w.cfg.Faults.KeepOverlay)
			leases = append(leases, l)
		}
	}
	return leases
}

// lastWord ends commits that failed where nothing is tried again: no transaction
// is left open.
func (w *Worker) lastWord(failed []*commit.WorkerCommit) {
	ctx, cancel := context.WithTimeout(context.Background(), leaveTimeout)
	defer cancel()
	if err := commit.Reopen(ctx, failed, nil); err != nil {
		w.cfg.Events.warning(fmt.Errorf("a transaction may be open until it times out: %w", err))
	}
}

// surrender returns the error that ends the worker, if no repetition can
// succeed.
func (w *Worker) surrender(ctx context.Context, failed []*commit.WorkerCommit) error {
	first := failed[0]
	reason := first.Verdict.Err
	if err := first.Fenced(reason); err != nil {
		return err
	}
	if w.narrow(ctx, first, reason) || !broker.Permanent(reason) {
		return nil
	}
	w.lastWord(failed)
	return reason
}

// broughtUp lets a task go on whose stores are all there now, or brings up the next
// of them.
func (w *Worker) broughtUp(l *lease) {
	w.stopReading(l)
	l.drop(false)
	w.restore(l)
}
