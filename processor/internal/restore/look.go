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
)

// A Look reads internal topics before the group is joined: what a version does not
// read is refused while it has no task yet, and has written nothing.
type Look struct {
	Client   []kgo.Opt   // of all connections
	Requests *kgo.Client // for questions to brokers
	Warn     func(error)
}

// A reading is what a look has still to read, of each partition that is not at its
// end.
type reading struct {
	from, ends map[broker.TopicPartition]int64
	take       func(broker.TopicPartition, *kgo.Record) error
	hasty      bool // it ends where nothing comes for a while
}

// lookSilent is how long a look waits for records before it asks why none come.
const lookSilent = 2 * time.Second

// whole reads everything from where the reading begins.
func (l Look) whole(ctx context.Context, r *reading) error {
	if err := broker.Retry(ctx, l.complain, func(ctx context.Context) error { return l.ask(ctx, r) }); err != nil {
		return err
	}
	return broker.Retry(ctx, l.complain, func(ctx context.Context) error { return l.read(ctx, r) })
}

func (l Look) complain(err error) {
	l.Warn(fmt.Errorf("look at internal topics before the group is joined: %w", err))
}

// ask finds out where the logs end, and leaves out the partitions that have nothing
// from their offset on.
func (l Look) ask(ctx context.Context, r *reading) (err error) {
	if len(r.from) == 0 {
		return nil
	}
	if r.ends, err = broker.StableEnd.Ask(ctx, l.Requests, slices.Collect(maps.Keys(r.from))); err != nil {
		return err
	}
	return l.passDeleted(ctx, r)
}

// passDeleted moves on where records are no more: the version that still runs has
// processed them, and deletes them.
func (l Look) passDeleted(ctx context.Context, r *reading) error {
	starts, err := broker.LogStart.Ask(ctx, l.Requests, slices.Collect(maps.Keys(r.from)))
	if err != nil {
		return err
	}
	for tp, start := range starts {
		r.reach(tp, start)
	}
	return nil
}

// reach notes that a partition was read up to next. At its end it is done.
func (r *reading) reach(tp broker.TopicPartition, next int64) {
	if r.from[tp] = max(r.from[tp], next); r.from[tp] >= r.ends[tp] {
		delete(r.from, tp)
	}
}

// read reads the partitions from where they are to their ends.
func (l Look) read(ctx context.Context, r *reading) error {
	if len(r.from) == 0 {
		return nil
	}
	begin := map[string]map[int32]kgo.Offset{}
	for tp, at := range r.from {
		if begin[tp.Topic] == nil {
			begin[tp.Topic] = map[int32]kgo.Offset{}
		}
		begin[tp.Topic][tp.Partition] = kgo.NewOffset().At(at)
	}
	client, err := kgo.NewClient(append(l.Client[:len(l.Client):len(l.Client)],
		kgo.ConsumePartitions(begin), kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords(), kgo.FetchMaxWait(broker.FetchWait),
	)...)
	if err != nil {
		return fmt.Errorf("open the client that looks at internal topics: %w: %w", err, broker.ErrPermanent)
	}
	defer client.Close()
	for len(r.from) > 0 {
		if err := l.poll(ctx, client, r); err != nil {
			return err
		}
	}
	return nil
}

// poll takes what has come.
func (l Look) poll(ctx context.Context, client *kgo.Client, r *reading) error {
	wait, cancel := context.WithTimeout(ctx, lookSilent)
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
	for _, rec := range fetches.Records() {
		tp := broker.TopicPartition{Topic: rec.Topic, Partition: rec.Partition}
		if _, ok := r.from[tp]; !ok {
			continue
		}
		if err := r.take(tp, rec); err != nil {
			return err
		}
		r.reach(tp, rec.Offset+1)
	}
	switch {
	case fetches.NumRecords() > 0:
		return nil
	case r.hasty:
		clear(r.from)
		return nil
	}
	l.complain(fmt.Errorf("nothing has come for %v, and %d partitions are not at their ends", lookSilent, len(r.from)))
	return l.passDeleted(ctx, r)
}
