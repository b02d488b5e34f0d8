package limit

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Limits of one fetch.
const (
	fetchBytes          = 32 << 20
	fetchPartitionBytes = 4 << 20
	fetchWait           = 100 * time.Millisecond
)

// An input is consumed from its start to where it ended when it was opened.
type input struct {
	cl       *kgo.Client // nil until the mode opens one
	poll     int
	follow   bool
	total    int64   // records to drain
	pos      []int64 // next offset of each partition, behind what was handed on
	consumed int64
}

// openInput looks at the topic and opens a consumer of it; L2s brings its own.
func openInput(ctx context.Context, l *Loop) (*input, error) {
	start, end, err := l.Cluster.Range(ctx, l.In)
	if err != nil {
		return nil, err
	}
	in := &input{poll: l.Poll, follow: l.Follow, pos: start}
	for p := range end {
		in.total += end[p] - start[p]
	}
	if l.Mode == "L2s" {
		return in, nil
	}
	in.cl, err = l.Cluster.Client(append(consumerOptions(), kgo.ConsumeTopics(l.In))...)
	return in, err
}

func consumerOptions() []kgo.Opt {
	return []kgo.Opt{
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.ConsumeStartOffset(kgo.NewOffset().AtStart()),
		kgo.FetchMaxBytes(fetchBytes),
		kgo.FetchMaxPartitionBytes(fetchPartitionBytes),
		kgo.FetchMaxWait(fetchWait),
	}
}

// drained reports that the whole input has been consumed.
func (in *input) drained() bool { return !in.follow && in.consumed >= in.total }

// next hands on the next records, partition by partition, and none if none come by the
// deadline.
func (in *input) next(ctx context.Context, deadline time.Time, fn func(partition int32, records []*kgo.Record)) error {
	wait, cancel := context.WithDeadline(ctx, deadline)
	defer cancel()
	fetches := in.cl.PollRecords(wait, in.poll)
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := fetches.Err(); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("consume: %w", err)
	}
	fetches.EachPartition(func(p kgo.FetchTopicPartition) {
		n := len(p.Records)
		if n == 0 {
			return
		}
		in.pos[p.Partition] = p.Records[n-1].Offset + 1
		in.consumed += int64(n)
		fn(p.Partition, p.Records)
	})
	return nil
}

// consume is L0.
func (d *drain) consume(ctx context.Context) error {
	const between = 20 * time.Millisecond // a mark reads /proc and must not become a part of the cost
	marked := time.Now()
	for !d.in.drained() {
		if err := d.in.next(ctx, time.Now().Add(d.Interval), func(int32, []*kgo.Record) {}); err != nil {
			return err
		}
		if time.Since(marked) > between || d.in.drained() {
			marked = time.Now()
			d.meter.Mark(d.in.consumed)
		}
	}
	return nil
}
