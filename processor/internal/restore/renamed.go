package restore

import (
	"fmt"
	"maps"
	"slices"

	"github.com/millrace/millrace/processor/internal/broker"
	"github.com/millrace/millrace/processor/internal/graph"
	"github.com/millrace/millrace/processor/internal/group"
	"github.com/millrace/millrace/processor/internal/task"
	"github.com/millrace/millrace/state"
)

// A store that was away is brought up from where its topics were left. A repartition
// topic is known by its name: under another one it was never left, so what came while
// the store was away would be in neither topic, and the store short without a word.
// The offsets of the tasks that write these topics know it, so it is refused before
// the group is joined.
//
// Not seen is a chain of repartition topics whose inner one was renamed while the
// store was away: the tasks that write the outer one have other inputs then.

// A Renaming looks for stores that have come back behind a GroupBy or Repartition of
// another name.
type Renaming struct {
	ApplicationID string
	Subs          []*graph.Subtopology
	Offsets       map[broker.TopicPartition]group.Committed
}

// Admit refuses a store that has missed records in this way.
func (r Renaming) Admit(p LastPosition) error {
	var former, now []string
	for _, in := range p.Inputs {
		if !slices.Contains(p.Sub.Sources, in.Topic) && isRepartition(r.ApplicationID, in.Topic) {
			former = append(former, in.Topic)
		}
	}
	for _, topic := range p.Sub.Fed {
		if !slices.ContainsFunc(p.Inputs, func(in state.Input) bool { return in.Topic == topic }) {
			now = append(now, topic)
		}
	}
	for _, was := range former {
		for _, is := range now {
			if err := r.missed(p.Spec.Name, was, is); err != nil {
				return err
			}
		}
	}
	return nil
}

// missed refuses a store if a task that writes the topic of now has gone on since the
// former one was left.
func (r Renaming) missed(store, was, is string) error {
	for _, sub := range r.Subs {
		if !slices.Contains(sub.Feeds, is) {
			continue
		}
		for _, tp := range r.inputs(sub) {
			c := r.Offsets[tp]
			left, ok := task.FindNote(c.Meta.Notes, was)
			if _, written := task.FindNote(c.Meta.Notes, is); !ok || written || left.Stopped == task.Following || left.Stopped >= c.Offset {
				continue
			}
			return fmt.Errorf("store %q was fed by topic %q, which no version has written between offsets %d and %d of topic %q partition %d, and is fed by topic %q now: what came between would be missing in it: give the GroupBy or Repartition its former name, with which that is brought up, or the operator of the store another one, under which it begins empty, or: %w", store, was, left.Stopped, c.Offset, tp.Topic, tp.Partition, is, broker.ErrReset)
		}
	}
	return nil
}

// inputs are the partitions that a sub-topology has committed offsets of, in order.
func (r Renaming) inputs(sub *graph.Subtopology) []broker.TopicPartition {
	all := slices.SortedFunc(maps.Keys(r.Offsets), broker.TopicPartition.Compare)
	return slices.DeleteFunc(all, func(tp broker.TopicPartition) bool { return !slices.Contains(sub.Sources, tp.Topic) })
}
