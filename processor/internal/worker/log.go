package worker

import (
	"context"
	"fmt"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// An edge of a partition's log.
type edge struct {
	timestamp int64
	isolation int8
}

var (
	logStart  = edge{-2, 0}
	logEnd    = edge{-1, 0} // the high watermark: open transactions counted
	stableEnd = edge{-1, 1} // the last stable offset: before the first open transaction
)

// offsets asks for one edge of some partitions.
func (e edge) offsets(ctx context.Context, client *kgo.Client, parts []topicPartition) (map[topicPartition]int64, error) {
	req := kmsg.NewPtrListOffsetsRequest()
	req.ReplicaID, req.IsolationLevel = -1, e.isolation
	for _, tp := range parts {
		rt := kmsg.NewListOffsetsRequestTopic()
		rt.Topic = tp.topic
		rp := kmsg.NewListOffsetsRequestTopicPartition()
		rp.Partition, rp.Timestamp, rp.CurrentLeaderEpoch = tp.partition, e.timestamp, -1
		rt.Partitions = append(rt.Partitions, rp)
		req.Topics = append(req.Topics, rt)
	}
	resp, err := req.RequestWith(ctx, client)
	if err != nil {
		return nil, fmt.Errorf("ask for log offsets: %w", err)
	}
	out := map[topicPartition]int64{}
	for _, rt := range resp.Topics {
		for _, rp := range rt.Partitions {
			if err := kerr.ErrorForCode(rp.ErrorCode); err != nil {
				return nil, fmt.Errorf("ask for log offsets of topic %q partition %d: %w", rt.Topic, rp.Partition, err)
			}
			out[topicPartition{rt.Topic, rp.Partition}] = rp.Offset
		}
	}
	for _, tp := range parts {
		if _, ok := out[tp]; !ok {
			return nil, fmt.Errorf("ask for log offsets of topic %q partition %d: the broker left it out", tp.topic, tp.partition)
		}
	}
	return out, nil
}
