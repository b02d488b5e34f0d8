package worker

import (
	"context"
	"fmt"
	"time"
)

// applied ends a commit that Kafka has: only now the state is written.
func (w *Worker) applied(b *batch, began time.Time) error {
	w.cfg.Faults.at(AfterEnd)
	c := Committed{Tasks: len(b.leases)}
	c.Outputs, c.Entries = b.records()
	for _, l := range b.leases {
		n, _ := l.task.Weight()
		c.Records += n
		c.Offsets = append(c.Offsets, l.pending.Offsets...)
		w.cfg.Events.counted(l.id, l.task.Counters())
		if !b.early {
			if err := l.apply(b.at); err != nil {
				if err := w.mend(l, err); err != nil {
					return err
				}
				continue
			}
		}
		l.settle()
	}
	w.cfg.Faults.at(AfterApply)
	c.Duration = time.Since(began)
	w.cfg.Events.committed(c)
	return nil
}

// apply writes a task's committed state. Kafka is right whatever happens here:
// a state that cannot be written is read back from its changelog.
func (l *lease) apply(at time.Time) error {
	if err := l.task.Committed(l.next, at.UnixMilli()); err != nil {
		return fmt.Errorf("%w; the commit itself succeeded, a restart reads the state back", err)
	}
	return nil
}

// aborted answers a commit that failed for certain: the tasks go back to where
// the last commit left them.
func (w *Worker) aborted(ctx context.Context, b *batch, v verdict) error {
	w.cfg.Events.aborted(v.err)
	if err := w.surrender(b, v); err != nil {
		return err
	}
	if w.closing || ctx.Err() != nil {
		return w.lastWord(b, v)
	}
	for _, l := range b.leases {
		l.drop(w.cfg.Faults.KeepOverlay)
	}
	if refused(v.err) {
		w.held = time.Now().Add(w.cfg.HeartbeatInterval)
	}
	if v.doubt {
		if err := w.producer.reopen(ctx, w.cfg.Events.warning); err != nil {
			return err
		}
	}
	for _, l := range b.leases {
		if err := w.begin(l); err != nil {
			return err
		}
	}
	return nil
}

// inDoubt answers a commit whose outcome is not known (G7): nothing is assumed.
// The new client makes the broker decide; then the tasks read what it decided.
func (w *Worker) inDoubt(ctx context.Context, b *batch, v verdict) error {
	w.cfg.Events.unknown(v.err)
	if err := w.surrender(b, v); err != nil {
		return err
	}
	if w.closing || ctx.Err() != nil {
		return w.lastWord(b, v)
	}
	for _, l := range b.leases {
		w.stopReading(l)
		l.drop(w.cfg.Faults.KeepOverlay)
	}
	if err := w.producer.reopen(ctx, w.cfg.Events.warning); err != nil {
		return err
	}
	for _, l := range b.leases {
		w.restore(l)
	}
	return nil
}

// lastWord ends a commit that failed during the shutdown: nothing is tried
// again, but no transaction is left open either.
func (w *Worker) lastWord(b *batch, v verdict) error {
	for _, l := range b.leases {
		l.drop(false)
	}
	if !v.doubt {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), leaveTimeout)
	defer cancel()
	if err := w.producer.reopen(ctx, nil); err != nil {
		w.cfg.Events.warning(fmt.Errorf("a transaction may be open until it times out: %w", err))
	}
	return nil
}

// surrender returns the error that ends the worker, if no repetition can
// succeed.
func (w *Worker) surrender(b *batch, v verdict) error {
	if err := w.producer.fenced(v.err); err != nil {
		return err
	}
	if w.narrow(b, v.err) {
		return nil
	}
	if permanent(v.err) {
		return v.err
	}
	return nil
}
