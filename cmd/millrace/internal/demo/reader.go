package demo

import (
	"context"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// readTimeout is how long the broker may take to deliver what it has.
const readTimeout = time.Minute

// read calls each for every committed record of a topic, partition by
// partition, in order. The record is valid only during the call.
func (c *Cluster) read(ctx context.Context, topic string, each func(*kgo.Record) error) error {
	ends, err := c.admin.ListCommittedOffsets(ctx, topic)
	if err == nil {
		err = ends.Error()
	}
	if err != nil {
		return fmt.Errorf("read %s: %w", topic, err)
	}
	for p := range int32(len(ends[topic])) {
		if err := c.readPartition(ctx, topic, p, ends[topic][p].Offset, each); err != nil {
			return fmt.Errorf("read %s, partition %d: %w", topic, p, err)
		}
	}
	return nil
}

func (c *Cluster) readPartition(ctx context.Context, topic string, partition int32, end int64, each func(*kgo.Record) error) error {
	if end == 0 {
		return nil
	}
	from := map[string]map[int32]kgo.Offset{topic: {partition: kgo.NewOffset().AtStart()}}
	consumer, err := kgo.NewClient(kgo.SeedBrokers(c.Brokers...), kgo.ConsumePartitions(from),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords()) // they tell how far we are
	if err != nil {
		return err
	}
	defer consumer.Close()
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	for at := int64(0); at < end; {
		fetches := consumer.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			return err
		}
		for _, r := range fetches.Records() {
			at = r.Offset + 1
			if r.Attrs.IsControl() || r.Offset >= end {
				continue
			}
			if err := each(r); err != nil {
				return fmt.Errorf("offset %d: %w", r.Offset, err)
			}
		}
	}
	return nil
}
