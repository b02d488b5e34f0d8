package worker

import (
	"context"
	"fmt"
	"time"

	"github.com/millrace/millrace/processor/internal/group"
)

// An outcome is what became of a commit.
type outcome uint8

const (
	done    outcome = iota // Kafka has all of it
	undone                 // Kafka has none of it, and never will
	unknown                // one of the two; only Kafka can say
)

// A verdict is the outcome of a commit with its reason.
type verdict struct {
	outcome outcome
	err     error // the reason, unless done
	doubt   bool  // the producer's transaction is in an unclear state: open a new client
}

// A committer brings a batch into Kafka, in the two stages of the pipe. One of
// them gives exactly-once, the other at-least-once; everything around them is
// the same.
type committer interface {
	// write sends everything but the offsets and waits until all of it is
	// acknowledged.
	write(ctx context.Context, b *batch) verdict
	// finish makes final what was written.
	finish(ctx context.Context, b *batch) verdict
	// abandon undoes what was written, as far as it can be.
	abandon(ctx context.Context, b *batch, reason error) verdict
}

// commitTimeout bounds a commit. What takes longer is treated as unknown or
// given up.
const commitTimeout = 60 * time.Second

// commit puts everything dirty into the pipe, in one transaction, and goes on;
// see landOne. There must be room in the pipe. An error ends the worker.
func (w *Worker) commit(ctx context.Context) error {
	w.lastCommit = time.Now()
	b, err := w.prepare(ctx)
	if err != nil || b == nil {
		return err
	}
	reason := w.lapsed(b)
	if w.cfg.Faults.HeartbeatOutside && reason == nil {
		reason = w.tellOutside(ctx, b)
	}
	if reason != nil {
		if err := w.land(ctx); err != nil {
			return err
		}
		b.verdict = verdict{undone, reason, false}
		return w.undo(ctx, []*batch{b})
	}
	if w.cfg.Faults.ApplyBeforeCommit {
		return w.applyEarly(ctx, b)
	}
	w.pipe.put(b)
	return nil
}

// commitAll commits everything and waits until it is settled.
func (w *Worker) commitAll(ctx context.Context) error {
	if err := w.land(ctx); err != nil {
		return err
	}
	if err := w.commit(ctx); err != nil {
		return err
	}
	return w.land(ctx)
}

// prepare takes a commit from every task that has something to commit. It
// returns nil if none has.
func (w *Worker) prepare(ctx context.Context) (*batch, error) {
	if !w.dirty() {
		return nil, nil
	}
	b := &w.batches[w.turnOf]
	w.turnOf = (w.turnOf + 1) % pipeDepth
	b.clear(w.member.Identity(), w.cfg.Now())
	w.cfg.Faults.at(BeforePrepare)
	for l := range w.running() {
		if !l.task.Dirty() {
			continue
		}
		c, err := l.task.Prepare()
		if err != nil {
			return nil, w.unprepare(ctx, b, l, fmt.Errorf("prepare a commit: %w", err))
		}
		b.add(l, c, l.changelogs(w.cfg.ApplicationID))
	}
	b.pledge(&w.cfg.Faults)
	return b, nil
}

// land waits until nothing is in the pipe, and deals with what comes out.
// Whoever takes a task away, or goes back to a commit, does that first.
func (w *Worker) land(ctx context.Context) error {
	for w.pipe.flying > 0 {
		if err := w.landOne(ctx); err != nil {
			return err
		}
	}
	return nil
}

// landOne waits for one batch to come out of the pipe and does what its outcome
// asks for. If it failed, all behind it have too.
func (w *Worker) landOne(ctx context.Context) error {
	b := w.pipe.take()
	if b.verdict.outcome == done || b.verdict.outcome == unknown && w.cfg.Faults.UnknownAsCommitted {
		return w.applied(ctx, b)
	}
	failed := []*batch{b}
	for w.pipe.flying > 0 {
		failed = append(failed, w.pipe.take())
	}
	w.pipe.mend()
	return w.undo(ctx, failed)
}

// takeLandings deals with what has come out of the pipe.
func (w *Worker) takeLandings(ctx context.Context) error {
	for len(w.pipe.out) > 0 {
		if err := w.landOne(ctx); err != nil {
			return err
		}
	}
	return nil
}

// lapsed is guard G2. The group client can be thrown out of the group and join
// again under another name without telling; the broker would then accept a
// commit for tasks that had another owner in between.
func (w *Worker) lapsed(b *batch) error {
	if w.cfg.Faults.NoG2 {
		return nil
	}
	for i := range b.parts {
		if l := b.parts[i].lease; !b.who.Owns(l.owner) {
			return fmt.Errorf("task %s was assigned to member %q; now the worker is member %q: %w", l.id, l.owner.Member, b.who.Member, group.ErrLapsed)
		}
	}
	return nil
}
