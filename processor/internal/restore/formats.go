package restore

import (
	"context"
	"errors"
	"fmt"
	"time"

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

// A FormatScan reads what is under way in repartition topics.
type FormatScan struct {
	Client   []kgo.Opt   // of all connections
	Requests *kgo.Client // for questions to brokers
	Warn     func(error)
}

// Run refuses to go on where something is under way that this version does not read.
// formats are those of its repartition topics, offsets what the group has committed.
func (s FormatScan) Run(ctx context.Context, formats map[string]*graph.Format, offsets map[broker.TopicPartition]group.Committed, all map[string][]int32) error {
	from := map[broker.TopicPartition]int64{}
	for topic, own := range formats {
		for _, p := range all[topic] {
			tp := broker.TopicPartition{Topic: topic, Partition: p}
			c, ok := offsets[tp]
			if !ok {
				c = group.NoCommit()
			}
			if c.Offset < 0 || len(c.Meta.Formats) > 0 && c.Meta.Formats[0].Hash != own.Hash() {
				from[tp] = max(c.Offset, 0)
			}
		}
	}
	var ends map[broker.TopicPartition]int64
	err := broker.Retry(ctx, s.Warn, func(ctx context.Context) (err error) {
		ends, err = s.underWay(ctx, from)
		return err
	})
	if err != nil || len(from) == 0 {
		return err
	}
	return s.read(ctx, formats, offsets, from, ends)
}

// underWay asks where the logs begin and end, and leaves the partitions that have
// nothing after their offset out.
func (s FormatScan) underWay(ctx context.Context, from map[broker.TopicPartition]int64) (map[broker.TopicPartition]int64, error) {
	var parts []broker.TopicPartition
	for tp := range from {
		parts = append(parts, tp)
	}
	if len(parts) == 0 {
		return nil, nil
	}
	ends, err := broker.StableEnd.Ask(ctx, s.Requests, parts)
	if err != nil {
		return nil, err
	}
	starts, err := broker.LogStart.Ask(ctx, s.Requests, parts)
	for tp, start := range starts {
		if from[tp] = max(from[tp], start); from[tp] >= ends[tp] {
			delete(from, tp)
		}
	}
	return ends, err
}

// scanSilent is how long the scan waits for records before it says so.
const scanSilent = 5 * time.Second

// read reads the partitions from their offsets to their ends.
func (s FormatScan) read(ctx context.Context, formats map[string]*graph.Format, offsets map[broker.TopicPartition]group.Committed, from, ends map[broker.TopicPartition]int64) error {
	checks, begin := map[broker.TopicPartition]*task.FormatCheck{}, map[string]map[int32]kgo.Offset{}
	for tp, at := range from {
		checks[tp] = task.NewFormatCheck(formats[tp.Topic], offsets[tp].Meta)
		if begin[tp.Topic] == nil {
			begin[tp.Topic] = map[int32]kgo.Offset{}
		}
		begin[tp.Topic][tp.Partition] = kgo.NewOffset().At(at)
	}
	client, err := kgo.NewClient(append(s.Client[:len(s.Client):len(s.Client)],
		kgo.ConsumePartitions(begin), kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords(),
	)...)
	if err != nil {
		return fmt.Errorf("open the client that looks at what is under way: %w: %w", err, broker.ErrPermanent)
	}
	defer client.Close()
	for len(from) > 0 {
		if err := s.poll(ctx, client, checks, from, ends); err != nil {
			return err
		}
	}
	return nil
}

// poll takes what has come; partitions that are at their ends leave from.
func (s FormatScan) poll(ctx context.Context, client *kgo.Client, checks map[broker.TopicPartition]*task.FormatCheck, from, ends map[broker.TopicPartition]int64) error {
	wait, cancel := context.WithTimeout(ctx, scanSilent)
	defer cancel()
	fetches := client.PollFetches(wait)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	fetches.EachError(func(_ string, _ int32, err error) {
		if errors.Is(err, context.DeadlineExceeded) {
			err = errors.New("nothing has come for a while; an open transaction may be in the way, until it ends or times out")
		}
		s.Warn(fmt.Errorf("look at what is under way in %d partitions of repartition topics: %w", len(from), err))
	})
	for _, r := range fetches.Records() {
		tp := broker.TopicPartition{Topic: r.Topic, Partition: r.Partition}
		if _, ok := from[tp]; !ok {
			continue
		}
		if err := readable(checks[tp], r); err != nil {
			return err
		}
		if r.Offset+1 >= ends[tp] {
			delete(from, tp)
		}
	}
	return nil
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
