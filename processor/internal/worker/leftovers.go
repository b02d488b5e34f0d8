package worker

import (
	"context"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/millrace/millrace/processor/internal/broker"
	"github.com/millrace/millrace/processor/internal/graph"
	"github.com/millrace/millrace/processor/internal/group"
	"github.com/millrace/millrace/processor/internal/task"
)

// A repartition topic may have records of an earlier life of the application: the
// group was deleted, or its offsets have expired, and the topic was kept, perhaps
// since the version that ran then did not know it. Whoever reads it from its
// beginning counts all of them again, for what feeds it begins again too.
//
// What tells them is that a task that writes there notes the topic with its
// offsets, in the transaction of its first records (task.Note). So where no task
// has, and nobody has an offset in the topic, what is in it is of an earlier life.
// Ends are asked before offsets, so that no record is taken for one whose note only
// came a moment later. This is looked at before the group is joined, by every
// member: nobody writes there before one has looked.
//
// With at-least-once a record may be there before its offset is, so nothing is
// certain, and nothing is done.
type leftovers struct {
	ends map[broker.TopicPartition]int64 // of the partitions that have records
}

// findRecords looks what is in the repartition topics, as far as it is decided.
func (w *Worker) findRecords(ctx context.Context) (found leftovers, err error) {
	var parts []broker.TopicPartition
	for _, r := range w.cfg.Graph.Repartitions() {
		for _, p := range w.catalog.layout.Everything()[r.Topic] {
			parts = append(parts, broker.TopicPartition{Topic: r.Topic, Partition: p})
		}
	}
	if len(parts) == 0 || w.cfg.Guarantee != ExactlyOnce {
		return found, nil
	}
	var starts map[broker.TopicPartition]int64
	err = broker.Retry(ctx, w.cfg.Events.warning, func(ctx context.Context) (err error) {
		if found.ends, err = broker.StableEnd.Ask(ctx, w.fetcher.Client, parts); err != nil {
			return err
		}
		starts, err = broker.LogStart.Ask(ctx, w.fetcher.Client, parts)
		return err
	})
	for tp, start := range starts {
		if found.ends[tp] <= start {
			delete(found.ends, tp)
		}
	}
	return found, err
}

// clear deletes what was found in topics that the group's offsets know nothing of.
func (w *Worker) clear(ctx context.Context, found leftovers, offsets map[broker.TopicPartition]group.Committed) error {
	for _, r := range w.cfg.Graph.Repartitions() {
		upTo := found.of(r.Topic)
		if len(upTo) == 0 || ofThisLife(r, offsets) {
			continue
		}
		begun, err := w.begun(ctx, r)
		if err != nil {
			return err
		}
		if begun {
			continue
		}
		err = broker.Retry(ctx, w.cfg.Events.warning, func(ctx context.Context) error {
			done, err := kadm.NewClient(w.fetcher.Client).DeleteRecords(ctx, upTo)
			return errors.Join(err, done.Error())
		})
		if err != nil {
			return fmt.Errorf("repartition topic %q has records of an earlier life of group %q, which would be counted again, and they cannot be deleted: allow it, or delete the topic while no instance runs: %w", r.Topic, w.cfg.ApplicationID, err)
		}
		w.cfg.Events.warning(fmt.Errorf("repartition topic %q had something of an earlier life of group %q, of whose offsets none tells of it; it was deleted, as it would have been counted again", r.Topic, w.cfg.ApplicationID))
	}
	return nil
}

// of is what was found in one topic.
func (f leftovers) of(topic string) kadm.Offsets {
	upTo := kadm.Offsets{}
	for tp, end := range f.ends {
		if tp.Topic == topic {
			upTo.AddOffset(tp.Topic, tp.Partition, end, -1)
		}
	}
	return upTo
}

// begun asks once more whether a repartition topic is of this life, and answers
// only when no transaction is about to change that: the first one of a task that
// feeds the topic may be.
func (w *Worker) begun(ctx context.Context, r graph.Repartition) (begun bool, err error) {
	parts, all := map[string][]int32{}, w.catalog.layout.Everything()
	for _, topic := range append([]string{r.Topic}, r.From.Sources...) {
		parts[topic] = all[topic]
	}
	complain := func(err error) {
		if !errors.Is(err, kerr.UnstableOffsetCommit) {
			w.cfg.Events.warning(err)
		}
	}
	err = broker.Retry(ctx, complain, func(ctx context.Context) error {
		for _, stable := range []bool{false, true} {
			offsets, err := w.group.Fetch(ctx, parts, stable)
			if errors.Is(err, kerr.GroupIDNotFound) { // nobody was ever here
				offsets, err = nil, nil
			}
			if begun = err == nil && ofThisLife(r, offsets); begun || err != nil {
				return err
			}
		}
		return nil
	})
	return begun, err
}

// crowded is how many notes may have left no room for another (task.Note).
const crowded = 54

// ofThisLife reports whether the group's offsets tell of a repartition topic: of
// its reader, or of a task that feeds it. One that was committed by a version
// without notes may, and one that has no room for more.
func ofThisLife(r graph.Repartition, offsets map[broker.TopicPartition]group.Committed) bool {
	for tp, c := range offsets {
		if c.Offset < 0 {
			continue
		}
		if tp.Topic == r.Topic {
			return true
		}
		for _, topic := range r.From.Sources {
			_, noted := task.FindNote(c.Meta.Notes, r.Topic)
			if tp.Topic == topic && (noted || !c.Meta.Noted || len(c.Meta.Notes) >= crowded) {
				return true
			}
		}
	}
	return false
}
