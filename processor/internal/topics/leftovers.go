package topics

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/millrace/millrace/processor/internal/broker"
	"github.com/millrace/millrace/processor/internal/graph"
	"github.com/millrace/millrace/processor/internal/group"
	"github.com/millrace/millrace/processor/internal/task"
)

// Leftovers are what an earlier life of the application has left in a repartition
// topic: the group was deleted, or its offsets have expired, and the topic was
// kept, perhaps since the version that ran then did not know it. Who reads them
// from the beginning counts all of them again, for what feeds the topic begins
// again too.
//
// How they are told from records that count: a task that writes into the topic
// notes it with its offsets (task.Note), in the transaction of its first records.
// So where no task has such a note, and nobody has an offset in the topic, what
// is in it is of an earlier life. Ends are asked before offsets: a record whose
// note came a moment later is then beyond the end. Every member looks before it
// joins the group, and nobody writes before one has looked.
//
// Nothing is deleted
//
//   - with at-least-once: a record may be there before its offset is, so nothing
//     is certain;
//   - where a changelog says that the earlier life is not over. Then only the
//     offsets are lost, the start is going to be refused, and who restores them
//     needs the records;
//   - where the topic may be another application's: app-2-x-repartition is x of
//     app-2, or 2-x of app. Where there is a group of the other reading the start
//     is refused.
//
// Rejected: to refuse the start. What an aborted transaction has left looks the
// same from outside, so the first start after a crash would have been refused.
type Leftovers struct {
	cfg     Config
	client  *kgo.Client
	catalog *Catalog
	offsets *group.Offsets
	ends    map[broker.TopicPartition]int64 // of the partitions that have records
}

// FindLeftovers looks what is in the repartition topics, as far as it is decided.
// The committed offsets that Clear compares with that have to be asked for
// afterwards.
func FindLeftovers(ctx context.Context, cfg Config, client *kgo.Client, catalog *Catalog, offsets *group.Offsets) (*Leftovers, error) {
	l := &Leftovers{cfg: cfg, client: client, catalog: catalog, offsets: offsets}
	var parts []broker.TopicPartition
	for _, r := range cfg.Graph.Repartitions() {
		for _, p := range catalog.Layout.Everything()[r.Topic] {
			parts = append(parts, broker.TopicPartition{Topic: r.Topic, Partition: p})
		}
	}
	if len(parts) == 0 || !cfg.ExactlyOnce {
		return l, nil
	}
	var starts map[broker.TopicPartition]int64
	err := broker.Retry(ctx, cfg.Warn, func(ctx context.Context) (err error) {
		if l.ends, err = broker.StableEnd.Ask(ctx, client, parts); err != nil {
			return err
		}
		starts, err = broker.LogStart.Ask(ctx, client, parts)
		return err
	})
	for tp, start := range starts {
		if l.ends[tp] <= start {
			delete(l.ends, tp)
		}
	}
	return l, err
}

// Clear deletes what was found in topics that the group's offsets know nothing of,
// and warns of it.
func (l *Leftovers) Clear(ctx context.Context, offsets map[broker.TopicPartition]group.Committed) error {
	for _, r := range l.cfg.Graph.Repartitions() {
		upTo := l.of(r.Topic)
		if len(upTo) == 0 || ofThisLife(r, offsets) {
			continue
		}
		begun, err := l.begun(ctx, r)
		if err != nil {
			return err
		}
		if begun {
			continue
		}
		if remembered, err := l.remembered(ctx, r, offsets); remembered || err != nil {
			return err // a task of this start is going to refuse it
		}
		if err := l.disputed(ctx, r.Topic); err != nil {
			return err
		}
		err = broker.Retry(ctx, l.cfg.Warn, func(ctx context.Context) error {
			done, err := kadm.NewClient(l.client).DeleteRecords(ctx, upTo)
			return errors.Join(err, done.Error())
		})
		if err != nil {
			return fmt.Errorf("repartition topic %q has records of an earlier life of group %q, which would be counted again, and they cannot be deleted: allow it, or delete the topic while no instance runs: %w", r.Topic, l.cfg.ApplicationID, err)
		}
		l.cfg.Warn(fmt.Errorf("repartition topic %q had something of an earlier life of group %q, of whose offsets none tells of it; it was deleted, as it would have been counted again", r.Topic, l.cfg.ApplicationID))
	}
	return nil
}

// remembered reports whether state tells of an earlier life that may have written
// what is in a repartition topic: that of its reader, and where the group has no
// offset at all that of any task.
func (l *Leftovers) remembered(ctx context.Context, r graph.Repartition, offsets map[broker.TopicPartition]group.Committed) (bool, error) {
	anew := !slices.ContainsFunc(slices.Collect(maps.Values(offsets)), func(c group.Committed) bool { return c.Offset >= 0 })
	var parts []broker.TopicPartition
	for _, sub := range l.cfg.Graph.Subtopologies() {
		if !anew && !slices.Contains(sub.Sources, r.Topic) {
			continue
		}
		for _, s := range sub.Stores {
			changelog := s.ChangelogTopic(l.cfg.ApplicationID)
			for p := range l.catalog.partitions[changelog] {
				parts = append(parts, broker.TopicPartition{Topic: changelog, Partition: p})
			}
		}
	}
	if len(parts) == 0 {
		return false, nil
	}
	var starts, ends map[broker.TopicPartition]int64
	err := broker.Retry(ctx, l.cfg.Warn, func(ctx context.Context) (err error) {
		if ends, err = broker.LogEnd.Ask(ctx, l.client, parts); err == nil {
			starts, err = broker.LogStart.Ask(ctx, l.client, parts)
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
func (l *Leftovers) disputed(ctx context.Context, topic string) error {
	var groups kadm.ListedGroups
	err := broker.Retry(ctx, l.cfg.Warn, func(ctx context.Context) (err error) {
		groups, err = kadm.NewClient(l.client).ListGroups(ctx)
		return err
	})
	if err != nil {
		return fmt.Errorf("ask for the groups, as repartition topic %q has records of which group %q knows nothing: %w", topic, l.cfg.ApplicationID, err)
	}
	for _, other := range groups.Groups() {
		name, fits := strings.CutPrefix(topic, other+"-")
		if other != l.cfg.ApplicationID && fits && strings.HasSuffix(name, "-repartition") {
			return fmt.Errorf("repartition topic %q has records of which group %q knows nothing, and by its name it may belong to group %q: give the repartition or the application another name; or delete the topic, if it is of an earlier life of this one: %w", topic, l.cfg.ApplicationID, other, broker.ErrPermanent)
		}
	}
	return nil
}

// of is what was found in one topic.
func (l *Leftovers) of(topic string) kadm.Offsets {
	upTo := kadm.Offsets{}
	for tp, end := range l.ends {
		if tp.Topic == topic {
			upTo.AddOffset(tp.Topic, tp.Partition, end, -1)
		}
	}
	return upTo
}

// begun asks once more whether a repartition topic is of this life, and answers
// only when no transaction is about to change that: the first one of a task that
// feeds the topic may be.
func (l *Leftovers) begun(ctx context.Context, r graph.Repartition) (begun bool, err error) {
	parts, all := map[string][]int32{}, l.catalog.Layout.Everything()
	for _, topic := range append([]string{r.Topic}, r.From.Sources...) {
		parts[topic] = all[topic]
	}
	complain := func(err error) {
		if !errors.Is(err, kerr.UnstableOffsetCommit) {
			l.cfg.Warn(err)
		}
	}
	err = broker.Retry(ctx, complain, func(ctx context.Context) error {
		for _, stable := range []bool{false, true} {
			offsets, err := l.offsets.Fetch(ctx, parts, stable)
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
