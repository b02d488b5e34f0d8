package worker

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/millrace/millrace/processor/internal/graph"
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
// certain, and nothing is done. Nor is anything deleted where a changelog says that
// an earlier life is not over: then the offsets alone are lost, the start is going to
// be refused, and who restores them needs the records. And the name of a topic can be
// read in two ways: app-2-x-repartition is x of app-2, or 2-x of app. Where there is a
// group of the other reading the start is refused.
type leftovers struct {
	ends map[topicPartition]int64 // of the partitions that have records
}

// findRecords looks what is in the repartition topics, as far as it is decided.
func (w *Worker) findRecords(ctx context.Context) (found leftovers, err error) {
	var parts []topicPartition
	for _, r := range w.cfg.Graph.Repartitions() {
		for _, p := range w.catalog.everything()[r.Topic] {
			parts = append(parts, topicPartition{r.Topic, p})
		}
	}
	if len(parts) == 0 || w.cfg.Guarantee != ExactlyOnce {
		return found, nil
	}
	var starts map[topicPartition]int64
	err = retry(ctx, w.cfg.Events.warning, func(ctx context.Context) (err error) {
		if found.ends, err = stableEnd.offsets(ctx, w.fetcher.client, parts); err != nil {
			return err
		}
		starts, err = logStart.offsets(ctx, w.fetcher.client, parts)
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
func (w *Worker) clear(ctx context.Context, found leftovers, offsets map[topicPartition]committed) error {
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
		if remembered, err := w.remembered(ctx, r, offsets); remembered || err != nil {
			return err // a task of this start is going to refuse it
		}
		if err := w.disputed(ctx, r.Topic); err != nil {
			return err
		}
		err = retry(ctx, w.cfg.Events.warning, func(ctx context.Context) error {
			done, err := kadm.NewClient(w.fetcher.client).DeleteRecords(ctx, upTo)
			return errors.Join(err, done.Error())
		})
		if err != nil {
			return fmt.Errorf("repartition topic %q has records of an earlier life of group %q, which would be counted again, and they cannot be deleted: allow it, or delete the topic while no instance runs: %w", r.Topic, w.cfg.ApplicationID, err)
		}
		w.cfg.Events.warning(fmt.Errorf("repartition topic %q had something of an earlier life of group %q, of whose offsets none tells of it; it was deleted, as it would have been counted again", r.Topic, w.cfg.ApplicationID))
	}
	return nil
}

// remembered reports whether state tells of an earlier life that may have written
// what is in a repartition topic: that of its reader, and where the group has no
// offset at all that of any task.
func (w *Worker) remembered(ctx context.Context, r graph.Repartition, offsets map[topicPartition]committed) (bool, error) {
	anew := !slices.ContainsFunc(slices.Collect(maps.Values(offsets)), func(c committed) bool { return c.offset >= 0 })
	var parts []topicPartition
	for _, sub := range w.cfg.Graph.Subtopologies() {
		if !anew && !slices.Contains(sub.Sources, r.Topic) {
			continue
		}
		for _, s := range sub.Stores {
			changelog := s.ChangelogTopic(w.cfg.ApplicationID)
			for p := range w.catalog.partitions[changelog] {
				parts = append(parts, topicPartition{changelog, p})
			}
		}
	}
	if len(parts) == 0 {
		return false, nil
	}
	var starts, ends map[topicPartition]int64
	err := retry(ctx, w.cfg.Events.warning, func(ctx context.Context) (err error) {
		if ends, err = logEnd.offsets(ctx, w.fetcher.client, parts); err == nil {
			starts, err = logStart.offsets(ctx, w.fetcher.client, parts)
		}
		return err
	})
	for tp, end := range ends {
		if end > starts[tp] {
			return true, err
		}
	}
	return false, err
}

// disputed is an error if the name of a repartition topic may be one that another
// group of the cluster gives.
func (w *Worker) disputed(ctx context.Context, topic string) error {
	var groups kadm.ListedGroups
	err := retry(ctx, w.cfg.Events.warning, func(ctx context.Context) (err error) {
		groups, err = kadm.NewClient(w.fetcher.client).ListGroups(ctx)
		return err
	})
	if err != nil {
		return fmt.Errorf("ask for the groups, as repartition topic %q has records of which group %q knows nothing: %w", topic, w.cfg.ApplicationID, err)
	}
	for _, other := range groups.Groups() {
		name, fits := strings.CutPrefix(topic, other+"-")
		if other != w.cfg.ApplicationID && fits && strings.HasSuffix(name, "-repartition") {
			return fmt.Errorf("repartition topic %q has records of which group %q knows nothing, and by its name it may belong to group %q: give the repartition or the application another name; or delete the topic, if it is of an earlier life of this one: %w", topic, w.cfg.ApplicationID, other, errPermanent)
		}
	}
	return nil
}

// of is what was found in one topic.
func (f leftovers) of(topic string) kadm.Offsets {
	upTo := kadm.Offsets{}
	for tp, end := range f.ends {
		if tp.topic == topic {
			upTo.AddOffset(tp.topic, tp.partition, end, -1)
		}
	}
	return upTo
}

// begun asks once more whether a repartition topic is of this life, and answers
// only when no transaction is about to change that: the first one of a task that
// feeds the topic may be.
func (w *Worker) begun(ctx context.Context, r graph.Repartition) (begun bool, err error) {
	parts, all := map[string][]int32{}, w.catalog.everything()
	for _, topic := range append([]string{r.Topic}, r.From.Sources...) {
		parts[topic] = all[topic]
	}
	complain := func(err error) {
		if !errors.Is(err, kerr.UnstableOffsetCommit) {
			w.cfg.Events.warning(err)
		}
	}
	err = retry(ctx, complain, func(ctx context.Context) error {
		for _, stable := range []bool{false, true} {
			offsets, err := w.group.fetch(ctx, parts, stable)
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
func ofThisLife(r graph.Repartition, offsets map[topicPartition]committed) bool {
	for tp, c := range offsets {
		if c.offset < 0 {
			continue
		}
		if tp.topic == r.Topic {
			return true
		}
		for _, topic := range r.From.Sources {
			_, noted := task.FindNote(c.meta.Notes, r.Topic)
			if tp.topic == topic && (noted || !c.meta.Noted || len(c.meta.Notes) >= crowded) {
				return true
			}
		}
	}
	return false
}
