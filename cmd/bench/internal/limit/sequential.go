package limit

import (
	"context"
	"errors"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// sequential is L2 and L3. The interval runs from commit to commit, so that the time a
// commit takes is taken from the consuming.
func (d *drain) sequential(ctx context.Context) error {
	t, err := d.openTxn(ctx, d.Group+"-0")
	if err != nil {
		return err
	}
	defer t.close()
	for due := time.Now().Add(d.Interval); ; {
		err := d.in.next(ctx, due, func(p int32, records []*kgo.Record) { d.flow.consumed(p, records, t.send) })
		if err := errors.Join(err, t.failed.get()); err != nil {
			return err
		}
		now := time.Now()
		if now.Before(due) && !d.in.drained() {
			continue
		}
		if d.in.consumed > d.meter.Done() {
			if err := d.complete(ctx, t, now); err != nil {
				return err
			}
		}
		if d.in.drained() {
			return nil
		}
		due = now.Add(d.Interval)
	}
}

// complete commits what was consumed so far.
func (d *drain) complete(ctx context.Context, t *txn, now time.Time) error {
	d.flow.cut(t.send)
	t.cut()
	if !t.open {
		if err := errors.Join(t.failed.get(), d.commitPlain(ctx, t.cl, t.covers.pos)); err != nil {
			return err
		}
		d.record(t.covers, steps{total: time.Since(now)})
		return nil
	}
	var s steps
	if err := t.flush(ctx); err != nil {
		return err
	}
	s.flush = time.Since(now)
	if err := t.commit(ctx, &s); err != nil {
		return err
	}
	s.total = time.Since(now)
	d.record(t.covers, s)
	return nil
}
