package commit

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/millrace/millrace/processor/internal/broker"
	"github.com/millrace/millrace/processor/internal/group"
	"github.com/millrace/millrace/processor/internal/planted"
	"github.com/millrace/millrace/state"
)

// depth is how many commits may be on their way into Kafka while the tasks
// go on. With two, one can be written while the transaction before it ends;
// more would only make an abort undo more.
const depth = state.PendingCommits

// commitTimeout bounds a commit. What takes longer is treated as unknown or
// given up.
const commitTimeout = 60 * time.Second

// A Pipeline brings commits into Kafka while the worker processes on. Each of its
// two stages is a goroutine: the first writes a commit and waits until all of it
// is acknowledged, the second commits its offsets and ends its transaction.
//
// Always: commits leave the pipeline in the order in which they came. The records of
// one are sent only after those of the one before are acknowledged, so that no
// change of state overtakes an older one of the same key. No transaction is
// committed after one that was not: what follows a failure is aborted, until the
// worker has seen all of it and calls Reset. An aborted transaction was the base
// of everything after it.
//
// Rejected: one transactional id for both commits. A transaction that is begun
// right after another waits in the broker, up to 100 ms, until the markers of
// the first are written.
//
// Rejected: to send outputs while the interval runs. A transaction would be
// open all the time: a record that fails would undo every task of the worker,
// and a killed process would always hold back the readers of its sinks.
type Pipeline struct {
	commits [depth]WorkerCommit
	turn    int // the commit to be used next; the worker's

	committer Committer
	faults    *CommitFaults
	waker     *broker.Waker
	ctx       context.Context //nolint:containedctx // ends with the pipeline, not with a call
	cancel    context.CancelFunc

	in, mid  chan *WorkerCommit
	out      chan result // has room for all that can ever be in it
	stages   sync.WaitGroup
	inFlight int         // commits put in and not taken out; the worker's
	broken   atomic.Bool // a commit has failed: nothing is written any more
	lost     atomic.Bool // it has passed the second stage: nothing is committed any more
}

// A result is a commit that has come through, or the end of a stage, which the
// worker's own goroutine has to follow.
type result struct {
	commit *WorkerCommit
	fatal  func()
}

// New starts the stages over a committer that needs no producers; see Open. Close
// ends them.
func New(c Committer, faults *CommitFaults, w *broker.Waker) *Pipeline {
	p := &Pipeline{
		committer: c, faults: faults, waker: w,
		in: make(chan *WorkerCommit, depth), mid: make(chan *WorkerCommit, depth), out: make(chan result, depth+2),
	}
	for i := range p.commits {
		p.commits[i].producer = &producer{now: time.Now}
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
func (p *Pipeline) stage(work func()) {
	whole := false
	defer func() {
		if r := recover(); r != nil {
			p.out <- result{fatal: func() { panic(r) }}
		} else if !whole {
			p.out <- result{fatal: runtime.Goexit}
		}
		p.waker.Wake()
	}()
	work()
	whole = true
}

var errBehind = errors.New("the commit before it failed")

func (p *Pipeline) write() {
	for b := range p.in {
		if p.broken.Load() && !(planted.On && p.faults.CommitBehind) {
			b.Verdict = Verdict{Aborted, errBehind, false}
		} else {
			ctx, cancel := context.WithTimeout(p.ctx, commitTimeout)
			b.Verdict = p.committer.Write(ctx, b)
			cancel()
		}
		p.heed(b)
		if b.written != nil {
			b.Early = b.Verdict.Outcome == Committed
			close(b.written)
		}
		p.mid <- b
	}
}

func (p *Pipeline) finish() {
	for b := range p.mid {
		if b.Verdict.Outcome == Committed {
			ctx, cancel := context.WithTimeout(p.ctx, max(commitTimeout-time.Since(b.Began), endTimeout))
			if p.lost.Load() && !(planted.On && p.faults.CommitBehind) {
				b.Verdict = p.committer.Abandon(ctx, b, errBehind)
			} else {
				b.Verdict = p.committer.Finish(ctx, b)
			}
			cancel()
			p.heed(b)
		}
		if b.Verdict.Outcome != Committed {
			p.lost.Store(true)
		}
		p.out <- result{commit: b}
		p.waker.Wake()
	}
}

// heed keeps what follows a failure from being written.
func (p *Pipeline) heed(b *WorkerCommit) {
	if b.Verdict.Outcome != Committed {
		p.broken.Store(true)
	}
}

// Next returns the commit whose turn it is, empty: for offsets that are committed
// under who, and dated at. The pipeline must not be full: then it is not on its way.
func (p *Pipeline) Next(who group.Identity, at time.Time) *WorkerCommit {
	b := &p.commits[p.turn]
	p.turn = (p.turn + 1) % depth
	b.clear(who, at)
	return b
}

// Put sends a commit on its way; there must be room.
func (p *Pipeline) Put(b *WorkerCommit) {
	p.inFlight++
	p.in <- b
}

// PutEarly sends a commit on its way and waits until its first stage is through. It
// reports whether it is written, and notes that it is going to be applied now: a
// planted bug. The pipeline must be empty.
func (p *Pipeline) PutEarly(b *WorkerCommit) bool {
	b.written = make(chan struct{})
	p.Put(b)
	select {
	case <-b.written:
		return b.Early
	case l := <-p.out: // the only one
		p.out <- l
		return false
	}
}

// Full reports whether there is no room for another commit.
func (p *Pipeline) Full() bool { return p.inFlight == depth }

// Empty reports whether nothing is on its way, and nothing waits to be taken.
func (p *Pipeline) Empty() bool { return p.inFlight == 0 }

// Landed reports whether Take would not wait.
func (p *Pipeline) Landed() bool { return len(p.out) > 0 }

// Take waits for the next commit to land and gives it back to the worker. If a stage
// has ended by a panic or by Goexit, the caller does.
func (p *Pipeline) Take() *WorkerCommit {
	l := <-p.out
	if l.fatal != nil {
		l.fatal()
	}
	p.inFlight--
	return l.commit
}

// Reset lets commits through again after a failure. The pipeline must be empty.
func (p *Pipeline) Reset() {
	p.broken.Store(false)
	p.lost.Store(false)
}

// Drain gives what is on its way so much time to land, whatever comes of it.
func (p *Pipeline) Drain(d time.Duration) {
	timer := time.AfterFunc(d, p.Cut)
	defer timer.Stop()
	for p.inFlight > 0 {
		p.Take()
	}
}

// Cut ends the requests of what is on its way, now. It may be called by anyone.
func (p *Pipeline) Cut() { p.cancel() }

// Close cuts off what is still on its way, waits until both stages have ended, and
// closes the producers.
func (p *Pipeline) Close() {
	p.cancel()
	close(p.in)
	p.stages.Wait()
	for i := range p.commits {
		p.commits[i].producer.close()
	}
}
