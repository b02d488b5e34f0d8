package worker

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/millrace/millrace/processor/internal/broker"
	"github.com/millrace/millrace/processor/internal/group"
	"github.com/millrace/millrace/processor/internal/planted"
)

// readSilence is how long no more is said of a partition that cannot be read.
const readSilence = 10 * time.Second

// A readTrouble says when it was last told that a partition cannot be read, by
// Config.Elapsed. There is one entry for each partition at most.
type readTrouble map[broker.TopicPartition]time.Duration

// isNews reports whether trouble with a partition is to be told now, and takes it as
// told then. The client tries more often.
func (t *readTrouble) isNews(tp broker.TopicPartition, now time.Duration) bool {
	if said, ok := (*t)[tp]; ok && now-said < readSilence {
		return false
	}
	if *t == nil {
		*t = readTrouble{}
	}
	(*t)[tp] = now
	return true
}

// answer answers a failed read of records that are not gone.
func (t *readTrouble) answer(err error, r routes, cfg *Config) error {
	var trouble *broker.TroubledError
	if errors.As(err, &trouble) {
		if t.isNews(trouble.TopicPartition, cfg.Elapsed()) {
			cfg.Events.warning(trouble)
		}
		return nil
	}
	var damage *broker.DamagedError
	if errors.As(err, &damage) {
		if r, ok := r[damage.TopicPartition]; ok {
			return fmt.Errorf("task %s, behind offset %d: %w", r.lease.ID, r.lease.queues[r.input].polled, err)
		}
	}
	return err
}

// outrun answers a failed read. Records that are gone from under a task are no
// failure where the group has committed beyond them: another member has the task
// now and has deleted what it processed, and this one is about to hear of it. Nor
// are they one before the first was processed: retention was faster.
func (w *Worker) outrun(ctx context.Context, err error) error {
	var gone *broker.GoneError
	if !errors.As(err, &gone) {
		return w.trouble.answer(err, w.routes, &w.cfg)
	}
	if _, ok := w.routes[gone.TopicPartition]; !ok {
		return nil
	}
	var offsets map[broker.TopicPartition]group.Committed
	asked := broker.Retry(ctx, w.cfg.Events.warning, func(ctx context.Context) (err error) {
		offsets, err = w.group.Fetch(ctx, map[string][]int32{gone.Topic: {gone.Partition}}, false)
		return err
	})
	if asked == nil {
		asked = w.land(ctx)
	}
	if asked != nil {
		return asked
	}
	r, ok := w.routes[gone.TopicPartition]
	if !ok {
		return nil // what has landed has taken the task back
	}
	switch at := offsets[gone.TopicPartition].Offset; {
	case r.lease.BringsUp():
		return err // the offset committed is the task's own, not where what was away is read
	case at > r.lease.Inputs[r.input].Offset:
		return nil
	case at < 0 && r.lease.untouched(r.input):
		return w.beginLater(ctx, r, err)
	}
	return err
}

// untouched says that nothing of an input was ever processed, as far as its task
// and its state know.
func (l *lease) untouched(index int) bool {
	in := &l.Inputs[index]
	_, applied := l.Applied(in.TopicPartition, nil)
	return !applied && l.task.Position(index) == in.Offset
}

// beginLater moves a task that has not begun with an input yet to where the log
// begins now; gone is why.
func (w *Worker) beginLater(ctx context.Context, r route, gone error) error {
	l, in := r.lease, &r.lease.Inputs[r.input]
	var starts map[broker.TopicPartition]int64
	err := broker.Retry(ctx, w.cfg.Events.warning, func(ctx context.Context) (err error) {
		starts, err = broker.LogStart.Ask(ctx, w.fetcher.Client, []broker.TopicPartition{in.TopicPartition})
		return err
	})
	if err != nil {
		return err
	}
	if starts[in.TopicPartition] <= in.Offset { // it is the end that is not where it was
		return gone
	}
	in.Offset = starts[in.TopicPartition]
	if err := l.drop(planted.On && w.cfg.Faults.KeepOverlay); err != nil {
		return err
	}
	return w.begin(l)
}
