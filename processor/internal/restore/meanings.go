package restore

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/millrace/millrace/processor/internal/broker"
	"github.com/millrace/millrace/processor/internal/graph"
	"github.com/millrace/millrace/state"
)

// What the bytes of a store mean is compared when a task is restored. By then other
// tasks of the version may have been gone on with, and be of the new version, so that
// neither version can take the application up any more. So the last position of every
// changelog is looked at before the group is joined. It is near the end: each commit
// has one. Where none is found the restore will see.

// tails are how many records from the end are read, one after the other, until a
// position is among them.
var tails = [...]int64{64, 4096, 1 << 18}

// A LastPosition is the last position that was found of a store.
type LastPosition struct {
	state.Position
	Spec      state.Spec         // what the store is to this version
	Sub       *graph.Subtopology // that owns it
	Partition int32
}

func (p *LastPosition) String() string {
	return fmt.Sprintf("partition %d of store %q", p.Partition, p.Spec.Name)
}

// LastPositions are those of all stores of a version, in their order.
// partitions are the numbers of tasks of the sub-topologies.
func (l Look) LastPositions(ctx context.Context, applicationID string, subs []*graph.Subtopology, partitions []int32) (all []LastPosition, err error) {
	stores, missing := map[string]LastPosition{}, map[broker.TopicPartition]bool{}
	for i, sub := range subs {
		for _, spec := range sub.Stores {
			topic := spec.ChangelogTopic(applicationID)
			stores[topic] = LastPosition{Spec: spec, Sub: sub}
			for p := range partitions[i] {
				missing[broker.TopicPartition{Topic: topic, Partition: p}] = true
			}
		}
	}
	for _, n := range tails {
		found, err := l.lastPositions(ctx, missing, n)
		if err != nil {
			return nil, err
		}
		for tp, p := range found {
			last := stores[tp.Topic]
			last.Partition, last.Position = tp.Partition, p
			all = append(all, last)
		}
	}
	slices.SortFunc(all, func(a, b LastPosition) int {
		return cmp.Or(cmp.Compare(a.Spec.Name, b.Spec.Name), cmp.Compare(a.Partition, b.Partition))
	})
	return all, nil
}

// AdmitMeaning refuses state that means something else to this version.
func AdmitMeaning(p LastPosition, applicationID string) error {
	var changed []string
	for _, d := range p.Spec.Differences(p.Position) {
		changed = append(changed, fmt.Sprintf("store %q: %v", p.Spec.Name, d))
	}
	if len(changed) == 0 {
		return nil
	}
	return changedMeaning(fmt.Sprintf("topic %q partition %d", p.Spec.ChangelogTopic(applicationID), p.Partition), errors.New(strings.Join(changed, "; ")))
}

// lastPositions reads the last n records of changelogs. Those of which a position was
// found, or that have no more records, are missing no longer.
func (l Look) lastPositions(ctx context.Context, missing map[broker.TopicPartition]bool, n int64) (map[broker.TopicPartition]state.Position, error) {
	found := map[broker.TopicPartition]state.Position{}
	if len(missing) == 0 {
		return found, nil
	}
	ends, err := l.endsOf(ctx, slices.Collect(maps.Keys(missing)))
	if err != nil {
		return nil, err
	}
	r := reading{from: map[broker.TopicPartition]int64{}, hasty: true}
	for tp, end := range ends {
		r.from[tp] = max(end-n, 0)
	}
	r.take = func(tp broker.TopicPartition, rec *kgo.Record) error {
		if p, ok := positionOf(rec); ok {
			found[tp] = p
		}
		return nil
	}
	if err := l.whole(ctx, &r); err != nil {
		return nil, err
	}
	maps.DeleteFunc(missing, func(tp broker.TopicPartition, _ bool) bool {
		_, ok := found[tp]
		return ok || ends[tp] <= n
	})
	return found, nil
}

// endsOf asks where changelogs end, topic by topic: one that is not there yet has no
// positions.
func (l Look) endsOf(ctx context.Context, parts []broker.TopicPartition) (map[broker.TopicPartition]int64, error) {
	topics := map[string][]broker.TopicPartition{}
	for _, tp := range parts {
		topics[tp.Topic] = append(topics[tp.Topic], tp)
	}
	all := map[broker.TopicPartition]int64{}
	for _, of := range topics {
		err := broker.Retry(ctx, l.complain, func(ctx context.Context) error {
			ends, err := broker.StableEnd.Ask(ctx, l.Requests, of)
			if errors.Is(err, kerr.UnknownTopicOrPartition) {
				return nil
			}
			maps.Copy(all, ends)
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return all, nil
}

// positionOf is the position that a record of a changelog is; false if it is another.
func positionOf(rec *kgo.Record) (state.Position, bool) {
	if rec.Attrs.IsControl() || !state.IsPositionKey(rec.Key) {
		return state.Position{}, false
	}
	p, err := state.DecodePosition(rec.Value)
	return p, err == nil
}
