package limit

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// session is L2s: L2 by the client library's own driver, in a consumer group, which is a
// new one each time so that it begins at the start of the input.
func (d *drain) session(ctx context.Context) error {
	group := fmt.Sprintf("%s-%d", d.Group, time.Now().UnixNano())
	sess, err := kgo.NewGroupTransactSession(slices.Concat(d.Cluster.Options, consumerOptions(), d.producerOptions(), []kgo.Opt{
		kgo.TransactionalID(group),
		kgo.TransactionTimeout(transactionTimeout),
		kgo.ConsumerGroup(group),
		kgo.ConsumeTopics(d.In),
	})...)
	if err != nil {
		return err
	}
	d.in.cl = sess.Client()

	failed, open := newFailure(), false
	defer func() {
		if open {
			ctx, cancel := context.WithTimeout(context.Background(), abortTimeout)
			defer cancel()
			_, _ = sess.End(ctx, kgo.TryAbort) // else the timeout does it
		}
	}()
	send := func(r *kgo.Record) {
		if !open {
			open = true
			if err := sess.Begin(); err != nil {
				failed.set(err)
			}
		}
		sess.Produce(context.Background(), r, failed.promise)
	}
	for due := time.Now().Add(d.Interval); ; {
		err := d.in.next(ctx, due, func(p int32, records []*kgo.Record) { d.flow.consumed(p, records, send) })
		if err := errors.Join(err, failed.get()); err != nil {
			return err
		}
		now := time.Now()
		if now.Before(due) && !d.in.drained() {
			continue
		}
		if open {
			open = false
			committed, err := sess.End(ctx, kgo.TryCommit)
			switch {
			case err != nil:
				return err
			case !committed:
				return errors.New("the group rebalanced")
			}
			d.result.Commits = append(d.result.Commits, time.Since(now))
			d.meter.Mark(d.in.consumed)
		}
		if d.in.drained() {
			return nil
		}
		due = now.Add(d.Interval)
	}
}
