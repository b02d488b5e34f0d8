package restore

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/millrace/millrace/processor/internal/broker"
	"github.com/millrace/millrace/processor/internal/graph"
	"github.com/millrace/millrace/processor/internal/group"
	"github.com/millrace/millrace/processor/internal/task"
)

// A repartition topic may be written by other tasks than before: the first of a chain
// of two GroupBys has got another name. A store behind the second one knows nothing of
// that. What the tasks knew that have written it until now is beside their offsets, in
// topics that this version does not read.

// A handover is a repartition topic with the sub-topology that writes it now.
type handover struct {
	topic string
	to    *graph.Subtopology
}

func (h handover) String() string { return fmt.Sprintf("topic %q", h.topic) }

// Handovers refuses a version whose repartition topics would lack records, or have them
// twice, because other tasks write them than before. former are the offsets in
// repartition topics that the version does not read.
func (l Look) Handovers(ctx context.Context, f Feeding, former map[broker.TopicPartition]group.Committed) error {
	r := reading{from: map[broker.TopicPartition]int64{}}
	by := map[broker.TopicPartition]handover{}
	maps.Copy(former, f.Offsets)
	for _, sub := range f.Subs {
		for _, topic := range sub.Feeds {
			h := handover{topic, sub}
			for tp, c := range former {
				note, ok := task.FindNote(c.Meta.Notes, topic)
				if !ok || c.Offset < 0 || slices.Contains(sub.Sources, tp.Topic) {
					continue
				}
				if err := f.handed(h, tp, note, c.Offset); err != nil {
					return err
				}
				if note.Stopped == task.Following && f.repartition(tp.Topic) {
					by[tp], r.from[tp] = h, c.Offset
				}
			}
			if err := f.begun(h); err != nil {
				return err
			}
		}
	}
	r.take = func(tp broker.TopicPartition, rec *kgo.Record) error {
		if rec.Attrs.IsControl() || tellsTime(rec) {
			return nil
		}
		return fmt.Errorf("%v was written by tasks that read topic %q, and is not now, and partition %d of that has a record at offset %d that was not processed: go back to the version that reads it and let it process what is there, or: %w", by[tp], tp.Topic, tp.Partition, rec.Offset, broker.ErrReset)
	}
	return l.whole(ctx, &r)
}

func always() bool { return true }

// begun looks at topics by which the tasks that write a topic now are fed, and were
// not when they wrote it from their source.
func (f Feeding) begun(h handover) error {
	for _, is := range h.to.Fed {
		if _, ok := f.note(h.topic, is); !ok {
			if err := f.joined(h, always, f.read(is), h.topic, is); err != nil {
				return err
			}
		}
	}
	return nil
}

// handed looks at a topic that was written by tasks that read another one, up to where
// a note says, and at all by which those tasks are fed that write it now.
func (f Feeding) handed(h handover, was broker.TopicPartition, left task.Note, upTo int64) error {
	for _, is := range h.to.Sources {
		note, ok := f.note(h.topic, is)
		switch {
		case ok && note.Stopped != task.Following:
			return fmt.Errorf("%v is to be brought up with what came by topic %q since an earlier version left it, and has been written by tasks that read topic %q as well: it cannot be known what has come by these already: give the operators behind it other names, under which they begin empty, or: %w", h, is, was.Topic, broker.ErrReset)
		case ok:
			if err := f.broughtBack(h, was.Topic, is); err != nil {
				return err
			}
		case left.Stopped != task.Following && left.Stopped < upTo:
			return fmt.Errorf("%v was written by tasks that read topic %q, and not between its offsets %d and %d of partition %d, and is written by tasks that read topic %q now: what came between would be missing: go back to the former version, with which that is brought up, or give the operators behind other names, under which they begin empty, or: %w", h, was.Topic, left.Stopped, upTo, was.Partition, is, broker.ErrReset)
		case f.repartition(was.Topic) && !f.repartition(is):
			if err := f.direct(h, was.Topic, is); err != nil {
				return err
			}
		case f.repartition(was.Topic):
			if err := f.joined(h, always, f.read(is), was.Topic, is); err != nil {
				return err
			}
		}
	}
	return nil
}

// direct refuses a topic that is written from a source now, if what came between is in
// neither.
func (f Feeding) direct(h handover, was, is string) error {
	for tp, c := range f.Offsets {
		left, ok := task.FindNote(c.Meta.Notes, was)
		if ok && tp.Topic == is && left.Stopped != task.Following && left.Stopped < c.Offset {
			return fmt.Errorf("%v was written by tasks that read topic %q, which no version has written between offsets %d and %d of topic %q partition %d, and is written from there now: what came between would be missing: go back to the former version, with which that is brought up, or give the operators behind other names, under which they begin empty, or: %w", h, was, left.Stopped, c.Offset, tp.Topic, tp.Partition, broker.ErrReset)
		}
	}
	return nil
}

// broughtBack refuses a topic that is written from one that was away and is brought up,
// while it was written from the other one.
func (f Feeding) broughtBack(h handover, was, is string) error {
	for tp, c := range f.Offsets {
		left, ok := task.FindNote(c.Meta.Notes, was)
		begun, written := task.FindNote(c.Meta.Notes, is)
		if ok && written && begun.Stopped != task.Following && (left.Stopped == task.Following || left.Stopped > begun.Stopped) {
			return fmt.Errorf("%v is written by tasks that read topic %q now, which is to be brought up with records of topic %q partition %d from offset %d on, and they have come by topic %q already: give the GroupBy or Repartition its former name or a new one, or: %w", h, is, tp.Topic, tp.Partition, begun.Stopped, was, broker.ErrReset)
		}
	}
	return nil
}

// note is what the offsets in one topic say of another one; false if none does.
func (f Feeding) note(topic, reading string) (task.Note, bool) {
	for tp, c := range f.Offsets {
		if n, ok := task.FindNote(c.Meta.Notes, topic); ok && tp.Topic == reading && c.Offset >= 0 {
			return n, true
		}
	}
	return task.Note{}, false
}

// FormerRepartitions are those of topics that are repartition topics of the application
// and not among those that a version writes.
func FormerRepartitions(applicationID string, topics, written []string) []string {
	return slices.DeleteFunc(topics, func(topic string) bool {
		return !isRepartition(applicationID, topic) || slices.Contains(written, topic)
	})
}
