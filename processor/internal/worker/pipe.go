package worker

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/millrace/millrace/processor/internal/broker"
	"github.com/millrace/millrace/state"
)

// pipeDepth is how many batches may be on their way into Kafka while the tasks
// go on. With two, one can be written while the transaction before it ends;
// more would only make an abort undo more.
const pipeDepth = state.PendingCommits

// A pipe brings batches into Kafka while the worker processes on. Each of its
// two stages is a goroutine: the first writes a batch and waits until all of it
// is acknowledged, the second commits its offsets and ends its transaction.
//
// Always: batches leave the pipe in the order in which they came. The records of
// one are sent only after those of the one before are acknowledged, so that no
// change of state overtakes an older one of the same key. No transaction is
// committed behind one that was not: what follows a failure is undone, until the
// worker has seen all of it and calls mend. An aborted transaction was the base
// of everything behind it.
type pipe struct {
	committer committer
	faults    *Faults
	waker     *broker.Waker
	ctx       context.Context //nolint:containedctx // ends with the pipe, not with a call
	cancel    context.CancelFunc

	in, mid chan *batch
	out     chan landing // has room for all that can ever be in it
	stages  sync.WaitGroup
	flying  int         // batches put in and not taken out; the worker's
	broken  atomic.Bool // a batch has failed: nothing is written any more
	lost    atomic.Bool // it has passed the second stage: nothing is committed any more
}

// A landing is a batch that has come through, or the end of a stage, which the
// worker's own goroutine has to follow.
type landing struct {
	batch *batch
	fatal func()
}

func newPipe(c committer, faults *Faults, w *broker.Waker) *pipe {
	p := &pipe{
		committer: c, faults: faults, waker: w,
		in: make(chan *batch, pipeDepth), mid: make(chan *batch, pipeDepth), out: make(chan landing, pipeDepth+2),
	}
	p.ctx, p.cancel = context.WithCancel(context.Background())
	p.stages.Go(func() {
		defer close(p.mid)
		p.stage(p.write)
	})
	p.stages.Go(func() { p.stage(p.finish) })
	return p
}

// stage runs one stage. If it ends before its work does, by a panic or by a
// fault that a test has planted, the worker's goroutine ends the same way.
func (p *pipe) stage(work func()) {
	whole := false
	defer func() {
		if r := recover(); r != nil {
			p.out <- landing{fatal: func() { panic(r) }}
		} else if !whole {
			p.out <- landing{fatal: runtime.Goexit}
		}
		p.waker.Wake()
	}()
	work()
	whole = true
}

var errBehind = errors.New("the commit before it failed")

func (p *pipe) write() {
	for b := range p.in {
		if p.broken.Load() && !p.faults.CommitBehind {
			b.verdict = verdict{undone, errBehind, false}
		} else {
			ctx, cancel := context.WithTimeout(p.ctx, commitTimeout)
			b.verdict = p.committer.write(ctx, b)
			cancel()
		}
		p.heed(b)
		if b.written != nil {
			b.early = b.verdict.outcome == done
			close(b.written)
		}
		p.mid <- b
	}
}

func (p *pipe) finish() {
	for b := range p.mid {
		if b.verdict.outcome == done {
			ctx, cancel := context.WithTimeout(p.ctx, max(commitTimeout-time.Since(b.began), endTimeout))
			if p.lost.Load() && !p.faults.CommitBehind {
				b.verdict = p.committer.abandon(ctx, b, errBehind)
			} else {
				b.verdict = p.committer.finish(ctx, b)
			}
			cancel()
			p.heed(b)
		}
		if b.verdict.outcome != done {
			p.lost.Store(true)
		}
		p.out <- landing{batch: b}
		p.waker.Wake()
	}
}

// heed keeps what is behind a failure from being written.
func (p *pipe) heed(b *batch) {
	if b.verdict.outcome != done {
		p.broken.Store(true)
	}
}

// put sends a batch on its way; there must be room.
func (p *pipe) put(b *batch) {
	p.flying++
	p.in <- b
}

func (p *pipe) full() bool { return p.flying == pipeDepth }

// take waits for the next batch to land.
func (p *pipe) take() *batch {
	l := <-p.out
	if l.fatal != nil {
		l.fatal()
	}
	p.flying--
	return l.batch
}

// mend lets batches through again after a failure; the pipe is empty.
func (p *pipe) mend() {
	p.broken.Store(false)
	p.lost.Store(false)
}

// drain gives what is on its way so much time to land, whatever comes of it.
func (p *pipe) drain(d time.Duration) {
	timer := time.AfterFunc(d, p.cancel)
	defer timer.Stop()
	for p.flying > 0 {
		p.take()
	}
}

// close cuts off what is still on its way and waits until both stages have
// ended.
func (p *pipe) close() {
	p.cancel()
	close(p.in)
	p.stages.Wait()
}
