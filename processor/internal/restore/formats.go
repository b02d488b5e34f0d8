package restore

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
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

// underWay is what a scan has still to read, of each partition that is not at its end.
type underWay struct {
	from, ends map[broker.TopicPartition]int64
	checks     map[broker.TopicPartition]*task.FormatCheck
}

// Run refuses to go on where something is under way that this version does not read.
// formats are those of its repartition topics, offsets what the group has committed.
func (s FormatScan) Run(ctx context.Context, formats map[string]*graph.Format, offsets map[broker.TopicPartition]group.Committed, all map[string][]int32) error {
	u := underWay{from: map[broker.TopicPartition]int64{}, checks: map[broker.TopicPartition]*task.FormatCheck{}}
	for topic, own := range formats {
		for _, p := range all[topic] {
			tp := broker.TopicPartition{Topic: topic, Partition: p}
			c, ok := offsets[tp]
			if !ok {
				c = group.NoCommit()
			}
			if known := c.Meta.Formats; c.Offset < 0 || len(known) == 0 || known[0].Hash != own.Hash() {
				u.from[tp], u.checks[tp] = max(c.Offset, 0), task.NewFormatCheck(own, c.Meta)
			}
		}
	}
	if err := broker.Retry(ctx, s.complain, func(ctx context.Context) error { return s.ask(ctx, &u) }); err != nil {
		return err
	}
	return broker.Retry(ctx, s.complain, func(ctx context.Context) error { return s.read(ctx, &u) })
}

func (s FormatScan) complain(err error) {
	s.Warn(fmt.Errorf("look at what is under way in repartition topics: %w", err))
}

// ask finds out where the logs end, and leaves out the partitions that have nothing
// after their offset.
func (s FormatScan) ask(ctx context.Context, u *underWay) (err error) {
	if len(u.from) == 0 {
		return nil
	}
	if u.ends, err = broker.StableEnd.Ask(ctx, s.Requests, slices.Collect(maps.Keys(u.from))); err != nil {
		return err
	}
	return s.passDeleted(ctx, u)
}

// passDeleted moves on where records are no more: the version that still runs has
// processed them, and deletes them.
func (s FormatScan) passDeleted(ctx context.Context, u *underWay) error {
	starts, err := broker.LogStart.Ask(ctx, s.Requests, slices.Collect(maps.Keys(u.from)))
	if err != nil {
		return err
	}
	for tp, start := range starts {
		u.reach(tp, start)
	}
	return nil
}

// reach notes that a partition was read up to next. At its end it is done.
func (u *underWay) reach(tp broker.TopicPartition, next int64) {
	if u.from[tp] = max(u.from[tp], next); u.from[tp] >= u.ends[tp] {
		delete(u.from, tp)
	}
}

// scanSilent is how long the scan waits for records before it looks why none come.
const scanSilent = 2 * time.Second

// read reads the partitions from where they are to their ends.
func (s FormatScan) read(ctx context.Context, u *underWay) error {
	if len(u.from) == 0 {
		return nil
	}
	begin := map[string]map[int32]kgo.Offset{}
	for tp, at := range u.from {
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
	for len(u.from) > 0 {
		if err := s.poll(ctx, client, u); err != nil {
			return err
		}
	}
	return nil
}

// poll takes what has come.
func (s FormatScan) poll(ctx context.Context, client *kgo.Client, u *underWay) error {
	wait, cancel := context.WithTimeout(ctx, scanSilent)
	defer cancel()
	fetches := client.PollFetches(wait)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	for _, e := range fetches.Errors() {
		if !errors.Is(e.Err, context.DeadlineExceeded) {
			return fmt.Errorf("read topic %q partition %d: %w", e.Topic, e.Partition, e.Err)
		}
	}
	for _, r := range fetches.Records() {
		tp := broker.TopicPartition{Topic: r.Topic, Partition: r.Partition}
		if _, ok := u.from[tp]; !ok {
			continue
		}
		if err := readable(u.checks[tp], r); err != nil {
			return err
		}
		u.reach(tp, r.Offset+1)
	}
	if !fetches.Empty() {
		return nil
	}
	s.complain(fmt.Errorf("nothing has come for %v, and %d partitions are not at their ends", scanSilent, len(u.from)))
	return s.passDeleted(ctx, u)
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
