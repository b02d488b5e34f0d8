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

// A Feeding looks whether a store may go on with the topics that feed it now. What the
// last positions and the committed offsets show is refused before the group is joined,
// so that no other task has written anything for the version that is refused; and
// again when a task is restored, for which last positions need not have been found.
type Feeding struct {
	ApplicationID string
	Subs          []*graph.Subtopology // of the version; nil where only one task is looked at
	Offsets       map[broker.TopicPartition]group.Committed
}

// Admit refuses a store that would lack records, or count them again.
func (f Feeding) Admit(p LastPosition) error {
	if len(p.Inputs) == 0 {
		return nil
	}
	for _, refuse := range []func(*LastPosition) error{f.replaced, f.again, f.missed} {
		if err := refuse(&p); err != nil {
			return err
		}
	}
	return nil
}

// replaced refuses a store that was fed by source topics and is fed by repartition
// topics now, or the reverse: who writes a source decides where a key is, so the same
// key may be in another partition from here on, and begin anew there.
func (f Feeding) replaced(p *LastPosition) error {
	for _, in := range p.Inputs {
		for _, now := range p.Sub.Sources {
			if f.repartition(in.Topic) == f.repartition(now) {
				return nil
			}
		}
	}
	return fmt.Errorf("%v was fed by topic %q and is fed by topic %q now: a key need not be in the same partition of both, and would begin anew in another: give the operator another name, under which it begins empty, or: %w", p, p.Inputs[0].Topic, p.Sub.Sources[0], broker.ErrReset)
}

// again refuses a store that shares no topic with its former self, where a repartition
// topic that feeds it now was read before: which of its records the store has got by
// another way is not known.
func (f Feeding) again(p *LastPosition) error {
	if slices.ContainsFunc(p.Inputs, func(in state.Input) bool { return slices.Contains(p.Sub.Sources, in.Topic) }) {
		return nil
	}
	for _, topic := range p.Sub.Fed {
		if c, ok := f.Offsets[broker.TopicPartition{Topic: topic, Partition: p.Partition}]; ok && c.Offset >= 0 {
			return fmt.Errorf("%v was fed by topic %q and is fed by topic %q now, which an earlier version has read: it cannot be known which of its records the store has already: give the GroupBy or Repartition its former name, or the operator of the store another one, under which it begins empty, or: %w", p, p.Inputs[0].Topic, topic, broker.ErrReset)
		}
	}
	return nil
}

// missed refuses a store that has come back behind a repartition topic of another
// name. One that was away is brought up from where its topics were left. Under another
// name the topic was never left, so what came while the store was away would be in
// neither, and the store short without a word. Only the offsets of the tasks that
// write these topics know it.
//
// Not seen is a chain of repartition topics whose inner one was renamed while the
// store was away: the tasks that write the outer one have other inputs then.
func (f Feeding) missed(p *LastPosition) error {
	var former, now []string
	for _, in := range p.Inputs {
		if !slices.Contains(p.Sub.Sources, in.Topic) && f.repartition(in.Topic) {
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
			if err := f.missedBetween(p, was, is); err != nil {
				return err
			}
		}
	}
	return nil
}

// missedBetween refuses a store if a task that writes the topic of now has gone on since the
// former one was left.
func (f Feeding) missedBetween(p *LastPosition, was, is string) error {
	for _, sub := range f.Subs {
		if !slices.Contains(sub.Feeds, is) {
			continue
		}
		for _, tp := range f.inputs(sub) {
			c := f.Offsets[tp]
			left, ok := task.FindNote(c.Meta.Notes, was)
			if _, written := task.FindNote(c.Meta.Notes, is); !ok || written || left.Stopped == task.Following || left.Stopped >= c.Offset {
				continue
			}
			return fmt.Errorf("%v was fed by topic %q, which no version has written between offsets %d and %d of topic %q partition %d, and is fed by topic %q now: what came between would be missing in it: give the GroupBy or Repartition its former name, with which that is brought up, or the operator of the store another one, under which it begins empty, or: %w", p, was, left.Stopped, c.Offset, tp.Topic, tp.Partition, is, broker.ErrReset)
		}
	}
	return nil
}

// inputs are the partitions that a sub-topology has committed offsets of, in order.
func (f Feeding) inputs(sub *graph.Subtopology) []broker.TopicPartition {
	all := slices.SortedFunc(maps.Keys(f.Offsets), broker.TopicPartition.Compare)
	return slices.DeleteFunc(all, func(tp broker.TopicPartition) bool { return !slices.Contains(sub.Sources, tp.Topic) })
}

func (f Feeding) repartition(topic string) bool { return isRepartition(f.ApplicationID, topic) }
