package limit

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// unfencedPause is how long L1 waits where nothing is left to consume.
const unfencedPause = time.Millisecond

// unfencedLoop is L1. It never flushes: every interval it notes the positions, and
// commits them in the background as soon as everything produced up to then is
// acknowledged. The client acknowledges the records of a partition in order, so counting
// is enough.
type unfencedLoop struct {
	d         *drain
	cl        *kgo.Client
	failed    failure
	produced  []int64
	acked     []atomic.Int64
	waiting   *note // until what it covers is acknowledged and committed
	committed chan error
	busy      bool // a commit is under way
}

// A note is what is to be committed next.
type note struct {
	cover
	produced []int64
	at       time.Time
}

func (d *drain) unfenced(ctx context.Context) error {
	cl, err := d.Cluster.Client(d.producerOptions()...)
	if err != nil {
		return err
	}
	defer cl.Close()
	n := len(d.in.pos)
	l := &unfencedLoop{
		d: d, cl: cl, failed: newFailure(), produced: make([]int64, n), acked: make([]atomic.Int64, n), committed: make(chan error, 1),
	}
	return l.run(ctx)
}

func (l *unfencedLoop) run(ctx context.Context) error {
	in := l.d.in
	for due := time.Now().Add(l.d.Interval); in.follow || l.d.meter.Done() < in.total; {
		if in.drained() {
			if err := pause(ctx, unfencedPause); err != nil {
				return err
			}
		} else if err := in.next(ctx, due, func(p int32, records []*kgo.Record) { l.d.flow.consumed(p, records, l.send) }); err != nil {
			return err
		}
		if now := time.Now(); l.waiting == nil && now.After(due) {
			l.waiting = &note{cover{slices.Clone(in.pos), in.consumed}, slices.Clone(l.produced), now}
			due = now.Add(l.d.Interval)
		}
		if err := errors.Join(l.failed.get(), l.advance(ctx)); err != nil {
			return err
		}
	}
	return nil
}

func (l *unfencedLoop) send(r *kgo.Record) {
	l.produced[r.Partition]++
	l.cl.Produce(context.Background(), r, func(r *kgo.Record, err error) {
		l.failed.promise(r, err)
		l.acked[r.Partition].Add(1)
	})
}

// advance starts or finishes the commit of what is waiting.
func (l *unfencedLoop) advance(ctx context.Context) error {
	switch {
	case l.waiting == nil:
		return nil
	case !l.busy && l.covered():
		l.busy = true
		pos := l.waiting.pos
		go func() { l.committed <- l.d.commitPlain(ctx, l.cl, pos) }()
		return nil
	}
	select {
	case err := <-l.committed:
		if err == nil {
			l.d.result.Commits = append(l.d.result.Commits, time.Since(l.waiting.at))
			l.d.meter.Mark(l.waiting.consumed)
		}
		l.busy, l.waiting = false, nil
		return err
	default:
		return nil
	}
}

func (l *unfencedLoop) covered() bool {
	for p := range l.acked {
		if l.acked[p].Load() < l.waiting.produced[p] {
			return false
		}
	}
	return true
}
