package limit

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// pipelineGlance is how soon it is looked again whether a flush or a commit has ended.
const pipelineGlance = time.Millisecond

// A pipeline is L2p and L3p: two transactional ids take turns. When an interval ends, its
// transaction A is flushed and committed in the background, while records go on to be
// consumed for the next transaction B, under two rules that keep the output in order and
// the offsets right:
//
//   - B's first record is sent after A's flush is acknowledged; until then the records
//     are held back;
//   - B is not flushed and committed before A's end is acknowledged. If A's commit takes
//     longer than the interval, B just grows.
//
// If A fails, so does the loop, and B is aborted.
type pipeline struct {
	d          *drain
	cur, other *txn
	held       []*kgo.Record // cur's, while other is being flushed
	flushed    chan error
	committed  chan outcome
	flushing   bool // other's flush is not acknowledged
	committing bool // other's commit, the flush included, is not acknowledged
}

type outcome struct {
	covers cover
	steps  steps
	err    error
}

func (d *drain) pipelined(ctx context.Context) error {
	p := &pipeline{d: d, flushed: make(chan error, 1), committed: make(chan outcome, 1)}
	for i, t := range []**txn{&p.cur, &p.other} {
		var err error
		if *t, err = d.openTxn(ctx, fmt.Sprintf("%s-%d", d.Group, i)); err != nil {
			return err
		}
		defer (*t).close()
	}
	ctx, cancel := context.WithCancel(ctx)
	defer p.settle()
	defer cancel()
	return p.run(ctx)
}

// settle waits for a commit in the background before the clients are closed.
func (p *pipeline) settle() {
	if p.committing {
		<-p.committed
	}
}

func (p *pipeline) run(ctx context.Context) error {
	in := p.d.in
	for due := time.Now().Add(p.d.Interval); ; {
		if err := p.turn(ctx, due); err != nil {
			return err
		}
		now := time.Now()
		if p.committing || now.Before(due) && !in.drained() {
			continue
		}
		if in.consumed > p.d.meter.Done() {
			if err := p.commit(ctx, now); err != nil {
				return err
			}
		} else if in.drained() {
			return nil
		}
		due = now.Add(p.d.Interval)
	}
}

// turn consumes, or waits where nothing can be consumed, and looks what has ended.
func (p *pipeline) turn(ctx context.Context, due time.Time) error {
	in := p.d.in
	if in.drained() || len(p.held) >= p.d.Producer.Buffered {
		if p.committing {
			if err := pause(ctx, pipelineGlance); err != nil {
				return err
			}
		}
		return p.look()
	}
	if p.committing {
		due = time.Now().Add(pipelineGlance)
	}
	err := in.next(ctx, due, func(partition int32, records []*kgo.Record) { p.d.flow.consumed(partition, records, p.send) })
	return errors.Join(err, p.cur.failed.get(), p.look())
}

func (p *pipeline) send(r *kgo.Record) {
	if p.flushing {
		p.held = append(p.held, r)
	} else {
		p.cur.send(r)
	}
}

// look takes note of a flush or a commit that has ended.
func (p *pipeline) look() error {
	select {
	case err := <-p.flushed:
		if err != nil {
			return err
		}
		p.flushing = false
		for _, r := range p.held {
			p.cur.send(r)
		}
		clear(p.held)
		p.held = p.held[:0]
	default:
	}
	select {
	case o := <-p.committed:
		p.committing = false
		if o.err != nil {
			return o.err
		}
		p.d.record(o.covers, o.steps)
	default:
	}
	return nil
}

// commit starts the commit of cur and makes other the current transaction. Nothing is
// being flushed or committed.
func (p *pipeline) commit(ctx context.Context, now time.Time) error {
	p.d.flow.cut(p.send)
	if !p.cur.open {
		return p.d.complete(ctx, p.cur, now)
	}
	p.cur.cut()
	p.flushing, p.committing = true, true
	go func(t *txn) {
		o := outcome{covers: t.covers}
		o.err = t.flush(ctx)
		o.steps.flush = time.Since(now)
		p.flushed <- o.err
		if o.err == nil {
			o.err = t.commit(ctx, &o.steps)
		}
		o.steps.total = time.Since(now)
		p.committed <- o
	}(p.cur)
	p.cur, p.other = p.other, p.cur
	return nil
}
