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
	for _, refuse := range []func(*LastPosition) error{f.replaced, f.again, f.renamed} {
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

// renamed refuses a store that goes on behind a repartition topic of another name, where
// the offsets of the tasks that write both show that records would be missing in it, or
// come twice. That is right only where one topic begins at the record at which the
// other was left.
func (f Feeding) renamed(p *LastPosition) error {
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
			if err := f.joined(p, func() bool { return f.follows(p, was) }, false, was, is); err != nil {
				return err
			}
		}
	}
	return nil
}

// joined looks at every task that writes one topic now and has written the other, for
// whom was fed by the one and is fed by the other. follows reports whether the last
// version had it behind the former topic, others whether a version has read the topic
// of now, and not for that.
func (f Feeding) joined(whom fmt.Stringer, follows func() bool, others bool, was, is string) error {
	for _, sub := range f.Subs {
		if !slices.Contains(sub.Feeds, is) {
			continue
		}
		for _, tp := range f.inputs(sub) {
			c := f.Offsets[tp]
			left, ok := task.FindNote(c.Meta.Notes, was)
			begun, written := task.FindNote(c.Meta.Notes, is)
			switch {
			case !ok:
			case written && (begun.Stopped != task.Following || left.Stopped == task.Following && follows()):
				return fmt.Errorf("%v was fed by topic %q and is fed by topic %q now, which an earlier version has written at the same time, with records of topic %q partition %d that have come by the former already: give the GroupBy or Repartition its former name or a new one, or the operator of the store behind it another one, under which it begins empty, or: %w", whom, was, is, tp.Topic, tp.Partition, broker.ErrReset)
			case (!written || others) && left.Stopped != task.Following && left.Stopped < c.Offset:
				return fmt.Errorf("%v was fed by topic %q, which no version has written between offsets %d and %d of topic %q partition %d, and is fed by topic %q now: what came between would be missing: give the GroupBy or Repartition its former name, with which that is brought up, or the operator of the store behind it another one, under which it begins empty, or: %w", whom, was, left.Stopped, c.Offset, tp.Topic, tp.Partition, is, broker.ErrReset)
			}
		}
	}
	return nil
}

// follows reports whether the store has read all of a topic that anybody has: the last
// version had it there. Else that version had it behind another topic already, and was
// stopped before the first commit there.
func (f Feeding) follows(p *LastPosition, topic string) bool {
	tp := broker.TopicPartition{Topic: topic, Partition: p.Partition}
	in, ok := inputOf(p.Position, tp)
	return ok && in.Offset >= f.Offsets[tp].Offset
}

// read reports whether an earlier version has read a topic.
func (f Feeding) read(topic string) bool {
	for tp, c := range f.Offsets {
		if tp.Topic == topic && c.Offset >= 0 {
			return true
		}
	}
	return false
}

// inputs are the partitions that a sub-topology has committed offsets of, in order.
func (f Feeding) inputs(sub *graph.Subtopology) []broker.TopicPartition {
	all := slices.SortedFunc(maps.Keys(f.Offsets), broker.TopicPartition.Compare)
	return slices.DeleteFunc(all, func(tp broker.TopicPartition) bool { return !slices.Contains(sub.Sources, tp.Topic) })
}

func (f Feeding) repartition(topic string) bool { return isRepartition(f.ApplicationID, topic) }
