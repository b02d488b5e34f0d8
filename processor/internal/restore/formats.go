package restore

import (
	"context"
	"fmt"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/millrace/millrace/processor/internal/broker"
	"github.com/millrace/millrace/processor/internal/graph"
	"github.com/millrace/millrace/processor/internal/group"
	"github.com/millrace/millrace/processor/internal/task"
)

// A version that would read a repartition topic as something else than was written
// is refused before it has written there itself: the version that goes on would have
// to read that. So this is looked at before the group is joined. The offsets say what
// the version before reads and has met; what nobody has met yet is in the topic, and
// where the format is another one than before, all that is under way is looked at.

// advice is what can be done about it.
const advice = "go back to the version before; for the new format let that process what is under way, and then give the GroupBy or Repartition another name"

// AdmitFormat refuses to go on where an offset was committed by a version that reads
// the topic as something else; and this holds if nothing is under way: at the next
// moment something may be.
func AdmitFormat(c group.Committed, tp broker.TopicPartition, own *graph.Format) error {
	if err := task.FormatRefused(own, c.Meta); err != nil {
		return fmt.Errorf("topic %q partition %d was written by another version of the application in a format that this one does not read: %w; %s; or: %w", tp.Topic, tp.Partition, err, advice, broker.ErrReset)
	}
	return nil
}

// Formats refuses to go on where something is under way that this version does not
// read. formats are those of its repartition topics, offsets what the group has
// committed, all the partitions of the topics.
func (l Look) Formats(ctx context.Context, formats map[string]*graph.Format, offsets map[broker.TopicPartition]group.Committed, all map[string][]int32) error {
	from, checks := map[broker.TopicPartition]int64{}, map[broker.TopicPartition]*task.FormatCheck{}
	for topic, own := range formats {
		for _, p := range all[topic] {
			tp := broker.TopicPartition{Topic: topic, Partition: p}
			c, ok := offsets[tp]
			if !ok {
				c = group.NoCommit()
			}
			if known := c.Meta.Formats; c.Offset < 0 || len(known) == 0 || known[0].Hash != own.Hash() {
				from[tp], checks[tp] = max(c.Offset, 0), task.NewFormatCheck(own, c.Meta)
			}
		}
	}
	r := reading{from: from, take: func(tp broker.TopicPartition, rec *kgo.Record) error { return readable(checks[tp], rec) }}
	return l.whole(ctx, &r)
}

// readable returns why a record cannot be read. What has no stamp is refused by its
// task, with other words.
func readable(check *task.FormatCheck, r *kgo.Record) error {
	stamp, ok := stampOf(r)
	if !ok {
		return nil
	}
	if err := check.Next(&stamp); err != nil {
		return fmt.Errorf("topic %q partition %d has from offset %d on what another version of the application has written, in a format that this one does not read: %w; %s; or: %w", r.Topic, r.Partition, r.Offset, err, advice, broker.ErrReset)
	}
	return nil
}
