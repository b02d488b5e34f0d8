package workload

import (
	"context"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Limits of one fetch of a scan.
const (
	scanBytes = 4 << 20 // per partition
	scanWait  = 100 * time.Millisecond
)

// scan calls fn for every committed record of the topic, from the start to the
// last stable offset of this moment. Records of one partition come in order.
// The record is only valid during the call. An open transaction is an error: what
// it holds back would be missing.
func (c Cluster) scan(ctx context.Context, topic string, fn func(*kgo.Record) error) error {
	cl, err := c.Client()
	if err != nil {
		return err
	}
	defer cl.Close()
	adm := kadm.NewClient(cl)
	start, end, err := offsets(ctx, adm, topic, true)
	if err != nil {
		return err
	}
	_, high, err := offsets(ctx, adm, topic, false)
	if err != nil {
		return err
	}
	for p := range end {
		if end[p] < high[p] {
			return fmt.Errorf("workload: topic %s partition %d has an open transaction (stable %d, end %d): stop the writer or wait for its timeout",
				topic, p, end[p], high[p])
		}
	}
	return c.scanRange(ctx, topic, start, end, fn)
}

// scanRange is scan between given offsets per partition.
func (c Cluster) scanRange(ctx context.Context, topic string, start, end []int64, fn func(*kgo.Record) error) error {
	from := make(map[int32]kgo.Offset)
	for p := range start {
		if start[p] < end[p] {
			from[int32(p)] = kgo.NewOffset().At(start[p])
		}
	}
	if len(from) == 0 {
		return nil
	}
	cl, err := c.Client(
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: from}),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.KeepControlRecords(), // a log may end in markers: without them the end is never seen
		kgo.FetchMaxPartitionBytes(scanBytes),
		kgo.FetchMaxWait(scanWait),
	)
	if err != nil {
		return err
	}
	defer cl.Close()
	for left := len(from); left > 0; {
		fetches := cl.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			return fmt.Errorf("workload: reading topic %s: %w", topic, err)
		}
		for it := fetches.RecordIter(); !it.Done(); {
			r := it.Next()
			if r.Offset >= end[r.Partition] {
				continue
			}
			if !r.Attrs.IsControl() {
				if err := fn(r); err != nil {
					return err
				}
			}
			if r.Offset == end[r.Partition]-1 {
				left--
				cl.PauseFetchPartitions(map[string][]int32{topic: {r.Partition}})
			}
		}
	}
	return nil
}
