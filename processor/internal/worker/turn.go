package worker

import (
	"context"
	"errors"
	"time"

	"github.com/millrace/millrace/processor/internal/planted"
	"github.com/millrace/millrace/processor/internal/task"
	"github.com/millrace/millrace/state"
)

// idlePoll bounds the sleep of a worker that has nothing to do.
const idlePoll = time.Second

// waitPoll is how often a task that waits for one of its inputs looks again.
const waitPoll = 10 * time.Millisecond

// loop takes turns until ctx ends, a bounded run is over or a turn fails.
func (w *Worker) loop(ctx context.Context) error {
	w.lastCommit = time.Now()
	defer context.AfterFunc(ctx, func() { // the worker may be waiting for what is on its way into Kafka then
		time.AfterFunc(w.cfg.Drain, w.pipeline.Cut)
	})()
	for ctx.Err() == nil {
		if err := w.turn(ctx); err != nil {
			return err
		}
		if w.over(ctx) {
			return nil
		}
	}
	return nil
}

// turn is one round: what the group says, what was restored, a bounded batch of
// records, and a commit if it is time.
func (w *Worker) turn(ctx context.Context) error {
	if err := w.hearGroup(ctx); err != nil {
		return err
	}
	if err := w.takeDeliveries(); err != nil {
		return err
	}
	if err := w.takeLandings(ctx); err != nil {
		return err
	}
	w.restores.dispatch(ctx)
	if w.hold(ctx) {
		return nil
	}
	if err := w.poll(ctx); err != nil {
		return err
	}
	if err := w.step(ctx); err != nil {
		return err
	}
	if err := w.tick(ctx); err != nil {
		return err
	}
	w.purge.run(ctx, &w.leases, w.fetcher, &w.waker, w.cfg.Events.warning)
	w.limits.reread(ctx)
	w.times.tell(&w.cfg.Events, &w.leases)
	switch {
	case !w.pipeline.Full() && w.due():
		return w.commit(ctx)
	case w.pipeline.Full() && w.leases.capped(&w.cfg):
		return w.landOne(ctx)
	}
	return nil
}

// wakeAt is how long a poll without records may wait.
func (w *Worker) wakeAt() time.Time {
	now := time.Now()
	if w.busy {
		return now
	}
	if w.waiting {
		return now.Add(waitPoll)
	}
	if !w.pipeline.Full() && w.leases.dirty() {
		return w.lastCommit.Add(w.cfg.CommitInterval)
	}
	if w.cfg.run() != "" {
		return now.Add(finishPoll)
	}
	return now.Add(idlePoll)
}

// hold waits after a refused commit until the group has spoken, or a heartbeat
// has had the time to: until then every further commit would be refused too. It
// returns true as long as nothing else should be done.
func (w *Worker) hold(ctx context.Context) bool {
	if !time.Now().Before(w.held) {
		return false
	}
	ctx, disarm := w.waker.Arm(ctx)
	defer disarm()
	ctx, cancel := context.WithDeadline(ctx, w.held)
	defer cancel()
	if !w.spokenTo() {
		<-ctx.Done()
	}
	return true
}

// pending says that something waits that the poll would oversleep.
func (w *Worker) pending() bool { return w.busy || w.spokenTo() || w.ends.Answered() }

func (w *Worker) spokenTo() bool {
	return len(w.member.Events) > 0 || len(w.member.Notes) > 0 || len(w.restores.Deliveries) > 0 || len(w.restores.Notes) > 0 || w.pipeline.Landed()
}

// step lets the tasks process what they have, within the bounds of a turn and
// the caps of a commit. Another one is the first in each turn, so that none
// starves behind those before it.
func (w *Worker) step(ctx context.Context) error {
	if err := w.leases.feed(w.cfg.TurnRecords, &w.slabs); err != nil {
		return err
	}
	w.busy, w.waiting = false, false
	now := w.cfg.moment()
	w.leases.align(now)
	processed, _ := w.leases.weight()
	left := min(w.cfg.TurnRecords, w.cfg.CommitRecords-processed)
	for l := range w.leases.inTurn() {
		if l.limit > 0 {
			if err := w.stepSlowly(ctx, l, now.Wall); err != nil {
				return err
			}
			continue
		}
		n, err := l.task.Step(now.Wall, max(left, 0))
		if err != nil {
			if err := w.failed(ctx, l, err); err != nil {
				return err
			}
			continue
		}
		left -= n
		w.busy = w.busy || (n > 0 || left <= 0) && l.queued() > 0
		w.waiting = w.waiting || n == 0 && l.queued() > 0
	}
	return nil
}

// stepSlowly processes a few records and commits them. A record that is alone is
// to be alone in its commit too, so that a failure can be put down to it: what
// else waits is committed before.
func (w *Worker) stepSlowly(ctx context.Context, l *lease, now int64) error {
	if slow := l.task; l.limit == 1 && w.leases.dirty() {
		w.busy = true
		if err := w.commitAll(ctx); err != nil || l.task != slow || l.limit != 1 {
			return err
		}
	}
	n, err := l.task.Step(now, l.limit)
	if err != nil {
		return w.failed(ctx, l, err)
	}
	w.busy = w.busy || n > 0
	if n == 0 {
		return nil
	}
	return w.commitAll(ctx)
}

// failed answers a failure of one task's record: the task goes back to the last
// commit and is careful from there on, so that it can take records back; one that
// it could not is skipped. Nothing else is touched, for nothing of what it did
// since was sent. Any other failure ends the worker.
func (w *Worker) failed(ctx context.Context, l *lease, err error) error {
	broken := l.task
	if err := w.land(ctx); err != nil {
		return err
	}
	if l.task != broken {
		return nil // it starts over anyway, and comes to that record again
	}
	if errors.Is(err, state.ErrCorrupt) {
		return w.mend(l, err)
	}
	scope, poison := task.Classify(err)
	if scope != task.RecordScope {
		return err
	}
	if again := l.failed == poison.Origin; again || broken.Careful() > 0 {
		if err := l.blame(poison); err != nil {
			return err
		}
	}
	l.failed = poison.Origin
	w.cfg.Events.poisoned(poison)
	w.busy = true
	if err := l.drop(planted.On && w.cfg.Faults.KeepOverlay); err != nil {
		return err
	}
	l.careful = task.CarefulRecords
	for other := range w.leases.running() { // what fails in one task is likely to come to the others; see takeDeliveries for those that are not here
		other.task.BeCareful()
	}
	return w.begin(l)
}

// due says that it is time to commit: the interval has passed, or a cap is
// reached (G9).
func (w *Worker) due() bool {
	return w.leases.capped(&w.cfg) || time.Since(w.lastCommit) >= w.cfg.CommitInterval && w.leases.dirty()
}
