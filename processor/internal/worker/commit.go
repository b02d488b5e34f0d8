package worker

import (
	"context"
	"fmt"
	"time"

	"github.com/millrace/millrace/processor/internal/broker"
	"github.com/millrace/millrace/processor/internal/commit"
	"github.com/millrace/millrace/processor/internal/group"
	"github.com/millrace/millrace/processor/internal/planted"
	"github.com/millrace/millrace/processor/internal/task"
)

// commit puts everything dirty into the pipeline, in one transaction, and goes on;
// see landOne. There must be room in the pipeline. An error ends the worker.
func (w *Worker) commit(ctx context.Context) error {
	w.lastCommit = time.Now()
	b, err := w.prepare(ctx)
	if err != nil || b == nil {
		return err
	}
	reason := w.lapsed(b)
	if planted.On && w.cfg.Faults.HeartbeatOutside && reason == nil {
		reason = w.tellOutside(ctx, b)
	}
	if reason != nil {
		if err := w.land(ctx); err != nil {
			return err
		}
		b.Verdict = commit.Verdict{Outcome: commit.Aborted, Err: reason, Doubt: false}
		return w.undo(ctx, []*commit.WorkerCommit{b})
	}
	if planted.On && w.cfg.Faults.ApplyBeforeCommit {
		return w.applyEarly(ctx, b)
	}
	w.pipeline.Put(b)
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
func (w *Worker) prepare(ctx context.Context) (*commit.WorkerCommit, error) {
	if !w.leases.dirty() {
		return nil, nil
	}
	b := w.pipeline.Next(w.member.Identity(), w.cfg.Now())
	w.cfg.Faults.Reach(commit.BeforePrepare)
	for l := range w.leases.running() {
		if !l.task.Dirty() {
			continue
		}
		c, err := l.task.Prepare()
		if err != nil {
			return nil, w.unprepare(ctx, b, l, fmt.Errorf("prepare a commit: %w", err))
		}
		b.Add(l.ID, l.task, c, commit.State{Stores: l.Stores, Specs: l.Sub.Stores, Topics: l.Changelogs(w.cfg.ApplicationID)})
		w.pledge(b, l, c)
	}
	return b, nil
}

// pledge adds the offsets of a task to a commit, also of one that did not move (G6,
// G10).
func (w *Worker) pledge(b *commit.WorkerCommit, l *lease, c *task.Commit) {
	for i, o := range c.Offsets {
		offset := o.Offset
		if planted.On && w.cfg.Faults.CommitPolled {
			offset = max(offset, l.queues[i].polled)
		}
		if planted.On && w.cfg.Faults.TimerWithoutOffsets && offset == l.Inputs[i].Offset {
			continue
		}
		b.Offsets = append(b.Offsets, group.OffsetCommit{TopicPartition: broker.TopicPartition{Topic: o.Topic, Partition: o.Partition}, Offset: offset, Metadata: c.Metadata[i]})
	}
}

// land waits until nothing is in the pipeline, and deals with what comes out.
// Whoever takes a task away, or goes back to a commit, does that first.
func (w *Worker) land(ctx context.Context) error {
	for !w.pipeline.Empty() {
		if err := w.landOne(ctx); err != nil {
			return err
		}
	}
	return nil
}

// landOne waits for one commit to come out of the pipeline and does what its outcome
// asks for. If it failed, all behind it have too.
func (w *Worker) landOne(ctx context.Context) error {
	b := w.pipeline.Take()
	if b.Verdict.Outcome == commit.Committed || b.Verdict.Outcome == commit.Unknown && planted.On && w.cfg.Faults.UnknownAsCommitted {
		return w.applied(ctx, b)
	}
	failed := []*commit.WorkerCommit{b}
	for !w.pipeline.Empty() {
		failed = append(failed, w.pipeline.Take())
	}
	w.pipeline.Reset()
	return w.undo(ctx, failed)
}

// takeLandings deals with what has come out of the pipeline.
func (w *Worker) takeLandings(ctx context.Context) error {
	for w.pipeline.Landed() {
		if err := w.landOne(ctx); err != nil {
			return err
		}
	}
	return nil
}

// lapsed is guard G2. The group client can be thrown out of the group and join
// again under another name without telling; the broker would then accept a
// commit for tasks that had another owner in between.
func (w *Worker) lapsed(b *commit.WorkerCommit) error {
	if planted.On && w.cfg.Faults.NoG2 {
		return nil
	}
	for i := range b.Parts {
		if l := w.leases.of(&b.Parts[i]); l != nil && !b.Who.Owns(l.Owner) {
			return fmt.Errorf("task %s was assigned to member %q; now the worker is member %q: %w", l.ID, l.Owner.Member, b.Who.Member, group.ErrLapsed)
		}
	}
	return nil
}
