package restore

import (
	"context"
	"fmt"
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
	for _, sub := range f.Subs {
		for _, topic := range sub.Feeds {
			h := handover{topic, sub}
			for tp, c := range former {
				note, ok := task.FindNote(c.Meta.Notes, topic)
				if !ok || c.Offset < 0 {
					continue
				}
				by[tp], r.from[tp] = h, c.Offset
				if note.Stopped != task.Following {
					r.from[tp] = min(c.Offset, note.Stopped)
				}
				if err := f.handed(h, tp.Topic); err != nil {
					return err
				}
			}
			if err := f.handed(h, topic); err != nil {
				return err
			}
		}
	}
	r.take = func(tp broker.TopicPartition, rec *kgo.Record) error {
		if rec.Attrs.IsControl() || tellsTime(rec) {
			return nil
		}
		return fmt.Errorf("%v was written by tasks that read topic %q, which this version does not read, and partition %d of that has a record at offset %d that was not processed: go back to the version that reads it and let it process what is there, or: %w", by[tp], tp.Topic, tp.Partition, rec.Offset, broker.ErrReset)
	}
	return l.whole(ctx, &r)
}

// handed looks at the topics by which the tasks that write a topic now are fed, and
// were not before.
func (f Feeding) handed(h handover, was string) error {
	for _, is := range h.to.Fed {
		if is == was || f.wrote(h.topic, is) {
			continue
		}
		if err := f.joined(h, func() bool { return true }, was, is); err != nil {
			return err
		}
	}
	return nil
}

// wrote reports whether tasks that read one topic have written the other.
func (f Feeding) wrote(topic, reading string) bool {
	for tp, c := range f.Offsets {
		if _, ok := task.FindNote(c.Meta.Notes, topic); ok && tp.Topic == reading && c.Offset >= 0 {
			return true
		}
	}
	return false
}

// FormerRepartitions are those of topics that are repartition topics of the application
// and not among those that a version writes.
func FormerRepartitions(applicationID string, topics, written []string) []string {
	return slices.DeleteFunc(topics, func(topic string) bool {
		return !isRepartition(applicationID, topic) || slices.Contains(written, topic)
	})
}
