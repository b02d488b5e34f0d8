package worker

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/millrace/millrace/processor/internal/broker"
	"github.com/millrace/millrace/processor/internal/graph"
	"github.com/millrace/millrace/processor/internal/group"
	"github.com/millrace/millrace/processor/internal/task"
)

// provideRepartitions creates the repartition topics that are missing and
// verifies the others, upstream ones first, for the number of partitions goes
// down the graph.
//
// Nothing in them is ever deleted by time, for they carry event times of any
// age: the worker deletes what was processed and committed.
func (s *survey) provideRepartitions(ctx context.Context) error {
	for _, r := range s.cfg.Graph.Repartitions() {
		n := s.repartitionCount(r)
		if err := s.provideTopic(ctx, r.Topic, n, "delete"); err != nil {
			return fmt.Errorf("repartition topic: %w", err)
		}
		settings, err := s.settings(ctx, r.Topic)
		if err != nil {
			return err
		}
		if err := verifyRepartition(r.Topic, settings); err != nil {
			return err
		}
	}
	return nil
}

// verifyRepartition refuses settings under which the broker would delete records
// that are still to be processed, or make each of them one of the present.
func verifyRepartition(topic string, settings map[string]string) error {
	for _, name := range []string{configRetention, configRetentionBytes} {
		if v := settings[name]; v != "-1" && v != "" {
			return fmt.Errorf("repartition topic %q has %s=%s, so the broker deletes records before they are processed; set it to -1 with `kafka-configs.sh --alter`", topic, name, v)
		}
	}
	if v := settings[configTimestampType]; v != createTime && v != "" { // empty: the broker does not say
		return fmt.Errorf("repartition topic %q has %s=%s, so the broker replaces the event time of records by its own; set it with `kafka-configs.sh --alter --entity-type topics --entity-name %s --add-config %s=%s`",
			topic, configTimestampType, v, topic, configTimestampType, createTime)
	}
	return nil
}

// repartitionCount is the number of partitions a repartition topic is to have:
// what was asked for, else that of the topics it is read together with, else
// the most of those its records come from.
func (s *survey) repartitionCount(r graph.Repartition) int32 {
	if r.Partitions > 0 {
		return r.Partitions
	}
	for _, sub := range s.cfg.Graph.Subtopologies() {
		if !slices.Contains(sub.Fed, r.Topic) {
			continue
		}
		for _, topic := range sub.Sources {
			if !slices.Contains(sub.Fed, topic) {
				return s.partitions[topic]
			}
		}
	}
	most := int32(1)
	for _, topic := range r.From.Sources {
		most = max(most, s.partitions[topic])
	}
	return most
}

// outrun answers a failed read. Records that are gone from under a task are no
// failure where the group has committed beyond them: another member has the task
// now and has deleted what it processed, and this one is about to hear of it. Nor
// are they one before the first was processed: retention was faster.
func (w *Worker) outrun(ctx context.Context, err error) error {
	var gone *broker.GoneError
	if !errors.As(err, &gone) {
		return w.unreadable(err)
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
	case r.lease.away != nil:
		return err // the offset committed is the task's own, not where what was away is read
	case at > r.lease.inputs[r.input].offset:
		return nil
	case at < 0 && r.lease.untouched(r.input):
		return w.beginLater(ctx, r, err)
	}
	return err
}

// untouched says that nothing of an input was ever processed, as far as its task
// and its state know.
func (l *lease) untouched(index int) bool {
	in := &l.inputs[index]
	_, applied := l.applied(in.TopicPartition, nil)
	return !applied && l.task.Position(index) == in.offset
}

// beginLater moves a task that has not begun with an input yet to where the log
// begins now; gone is why.
func (w *Worker) beginLater(ctx context.Context, r route, gone error) error {
	l, in := r.lease, &r.lease.inputs[r.input]
	var starts map[broker.TopicPartition]int64
	err := broker.Retry(ctx, w.cfg.Events.warning, func(ctx context.Context) (err error) {
		starts, err = broker.LogStart.Ask(ctx, w.fetcher.Client, []broker.TopicPartition{in.TopicPartition})
		return err
	})
	if err != nil {
		return err
	}
	if starts[in.TopicPartition] <= in.offset { // it is the end that is not where it was
		return gone
	}
	in.offset = starts[in.TopicPartition]
	l.drop(w.cfg.Faults.KeepOverlay)
	return w.begin(l)
}

// How often processed records are deleted from repartition topics, and how long
// that may take.
const (
	purgeInterval = 30 * time.Second
	purgeTimeout  = 5 * time.Second
)

// purge deletes from the repartition topics what was processed and committed.
// It can wait, so a failure is only told.
func (w *Worker) purge(ctx context.Context) {
	if err, ok := w.purged.Answer(); ok && err != nil && ctx.Err() == nil {
		w.cfg.Events.warning(fmt.Errorf("delete processed records from repartition topics: %w", err))
	}
	if w.purged.UnderWay() || time.Since(w.lastPurge) < purgeInterval {
		return
	}
	w.lastPurge = time.Now()
	offsets := w.processedOffsets()
	if len(offsets) == 0 {
		return
	}
	client := kadm.NewClient(w.fetcher.Client)
	w.purged.Start(&w.waker, func() error {
		ctx, cancel := context.WithTimeout(ctx, purgeTimeout)
		defer cancel()
		deleted, err := client.DeleteRecords(ctx, offsets)
		return errors.Join(err, deleted.Error())
	})
}

// awayRecordsKept is how many processed records of a partition are kept for stores
// that this version lacks, so that they can be brought up when they come back.
const awayRecordsKept = 1_000_000

// deletable is the offset below which nobody needs an input's records any more.
func (in *source) deletable() int64 {
	upTo := in.offset
	for _, n := range in.notes {
		if n.Stopped != task.Following {
			upTo = min(upTo, max(n.Stopped, in.offset-awayRecordsKept))
		}
	}
	return upTo
}

// processedOffsets returns, for the repartition topics that are read here, up to
// where everything was processed and committed.
func (w *Worker) processedOffsets() kadm.Offsets {
	offsets := kadm.Offsets{}
	for l := range w.running() {
		for _, in := range l.inputs {
			if upTo := in.deletable(); upTo > 0 && slices.Contains(l.sub.Fed, in.Topic) {
				offsets.AddOffset(in.Topic, in.Partition, upTo, -1)
			}
		}
	}
	return offsets
}
