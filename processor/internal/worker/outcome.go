package worker

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
)

// applied ends a commit that Kafka has: only now the state is written. Where that
// fails the state is read back, but not before what is behind the commit has
// landed: a restore in the middle of that would miss it.
func (w *Worker) applied(ctx context.Context, b *batch) error {
	w.cfg.Faults.at(AfterEnd)
	c, mended := Committed{Tasks: len(b.parts)}, false
	c.Outputs, c.Entries = b.records()
	for i := range b.parts {
		p := &b.parts[i]
		c.Records += p.commit.Records
		c.Offsets = append(c.Offsets, p.commit.Offsets...)
		w.cfg.Events.counted(p.lease.id, p.commit.Counters)
		if !p.current() {
			continue // its state is going to be read back, this commit too
		}
		if !b.early {
			if err := p.apply(b.at); err != nil {
				if err := w.mend(p.lease, err); err != nil {
					return err
				}
				mended = true
				continue
			}
		}
		p.lease.settle(p.commit)
		if p.task.CaughtUp() {
			w.broughtUp(p.lease)
		}
	}
	w.cfg.Faults.at(AfterApply)
	w.undone = 0
	c.Duration = time.Since(b.began)
	w.cfg.Events.committed(c)
	if mended {
		return w.land(ctx)
	}
	return nil
}

// apply writes a task's committed state. Kafka is right whatever happens here:
// a state that cannot be written is read back from its changelog.
func (p *part) apply(at time.Time) error {
	if err := p.task.Committed(p.next, at.UnixMilli()); err != nil {
		return fmt.Errorf("%w; the commit itself succeeded, a restart reads the state back", err)
	}
	return nil
}

// undo answers commits that failed, the first for a reason of its own, the rest
// because they were behind it.
//
// If it is certain that Kafka has none of them, the tasks go back to where the
// last commit left them. If it is not (G7), nothing is assumed: a new client
// makes the broker decide, and then the tasks read what it decided.
func (w *Worker) undo(ctx context.Context, failed []*batch) error {
	v := failed[0].verdict
	certain := true
	for _, b := range failed {
		certain = certain && b.verdict.outcome != unknown
	}
	if certain {
		w.cfg.Events.aborted(v.err)
	} else {
		w.cfg.Events.unknown(v.err)
	}
	searching, err := w.surrender(ctx, failed)
	if err != nil {
		return err
	}
	leases := w.revert(failed)
	if w.closing || ctx.Err() != nil {
		w.lastWord(failed)
		return nil
	}
	switch {
	case searching: // each step of it makes the next commit another one
	case refused(v.err):
		w.undone++
		w.held = time.Now().Add(w.cfg.HeartbeatInterval)
	default:
		if err := w.calmDown(ctx, v.err); err != nil {
			w.lastWord(failed)
			return err
		}
	}
	if err := reopen(ctx, failed, w.cfg.Events.warning); err != nil {
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

// calmDown counts a commit that was undone. An error has to end the worker.
func (w *Worker) calmDown(ctx context.Context, reason error) error {
	w.undone++
	beyond := w.undone - undonePatience
	if beyond <= 0 {
		return nil
	}
	w.cfg.Events.repeating(w.undone)
	if err := w.recount(ctx, reason); err != nil {
		return err
	}
	pause := min(undonePause<<min(beyond, 10), undonePauseMax)
	w.held = time.Now().Add(pause)
	w.cfg.Events.warning(fmt.Errorf("%d commits in a row were undone and are repeated, the next in %v: %w", w.undone, pause, reason))
	return nil
}

// recount is an error if the topic that a commit fails at has other partitions by
// now than when the worker began: where its records go was decided by their number.
func (w *Worker) recount(ctx context.Context, reason error) error {
	var refused *produceError
	if !errors.As(reason, &refused) {
		return nil
	}
	asking, cancel := context.WithTimeout(ctx, rereadTimeout)
	defer cancel()
	topics, err := kadm.NewClient(w.fetcher.client).ListTopics(asking, refused.topic)
	was, is := w.catalog.partitions[refused.topic], int32(len(topics[refused.topic].Partitions))
	if err != nil || topics[refused.topic].Err != nil || is == 0 || is == was {
		return nil // it is told and tried again
	}
	return fmt.Errorf("topic %q has %d partitions, and had %d when the worker began: start again, which goes by the new number or says why it cannot: %w", refused.topic, is, was, reason)
}

// revert throws away everything the tasks of failed batches have done since, and
// returns their leases.
func (w *Worker) revert(failed []*batch) (leases []*lease) {
	for _, b := range failed {
		for i := range b.parts {
			p := &b.parts[i]
			if !p.current() {
				continue // was in a batch before, or is being restored
			}
			w.stopReading(p.lease)
			p.lease.drop(w.cfg.Faults.KeepOverlay)
			leases = append(leases, p.lease)
		}
	}
	return leases
}

// reopen replaces the producing clients that are in doubt.
func reopen(ctx context.Context, failed []*batch, complain func(error)) error {
	var errs []error
	for _, b := range failed {
		if b.verdict.doubt {
			errs = append(errs, b.producer.reopen(ctx, complain))
		}
	}
	return errors.Join(errs...)
}

// lastWord ends commits that failed where nothing is tried again: no transaction
// is left open.
func (w *Worker) lastWord(failed []*batch) {
	ctx, cancel := context.WithTimeout(context.Background(), leaveTimeout)
	defer cancel()
	if err := reopen(ctx, failed, nil); err != nil {
		w.cfg.Events.warning(fmt.Errorf("a transaction may be open until it times out: %w", err))
	}
}

// surrender returns the error that ends the worker, if no repetition can succeed.
// It reports whether the repetition is part of a search for one record.
func (w *Worker) surrender(ctx context.Context, failed []*batch) (searching bool, err error) {
	first := failed[0]
	reason := first.verdict.err
	if err := first.producer.fenced(reason); err != nil {
		return false, err
	}
	searching, err = w.narrow(ctx, first, reason)
	if err == nil && (searching || !permanent(reason)) {
		return searching, nil
	}
	w.lastWord(failed)
	return false, cmp.Or(err, reason)
}
