package broker

import (
	"context"
	"fmt"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// A LogOffset is a place in the log of every partition that brokers can be asked
// for, such as its end. It is immutable.
type LogOffset struct {
	timestamp int64
	isolation int8
}

// The places that are asked for.
var (
	LogStart  = LogOffset{-2, 0}
	LogEnd    = LogOffset{-1, 0} // the high watermark: open transactions counted
	StableEnd = LogOffset{-1, 1} // the last stable offset: before the first open transaction
)

// Ask returns the offset of the place in each of the partitions, all of them or an
// error. It asks once; see Retry.
func (o LogOffset) Ask(ctx context.Context, client *kgo.Client, parts []TopicPartition) (map[TopicPartition]int64, error) {
	req := kmsg.NewPtrListOffsetsRequest()
	req.ReplicaID, req.IsolationLevel = -1, o.isolation
	for _, tp := range parts {
		rt := kmsg.NewListOffsetsRequestTopic()
		rt.Topic = tp.Topic
		rp := kmsg.NewListOffsetsRequestTopicPartition()
		rp.Partition, rp.Timestamp, rp.CurrentLeaderEpoch = tp.Partition, o.timestamp, -1
		rt.Partitions = append(rt.Partitions, rp)
		req.Topics = append(req.Topics, rt)
	}
	resp, err := req.RequestWith(ctx, client)
	if err != nil {
		return nil, fmt.Errorf("ask for log offsets: %w", err)
	}
	out := map[TopicPartition]int64{}
	for _, rt := range resp.Topics {
		for _, rp := range rt.Partitions {
			if err := kerr.ErrorForCode(rp.ErrorCode); err != nil {
				return nil, fmt.Errorf("ask for log offsets of topic %q partition %d: %w", rt.Topic, rp.Partition, err)
			}
			out[TopicPartition{rt.Topic, rp.Partition}] = rp.Offset
		}
	}
	for _, tp := range parts {
		if _, ok := out[tp]; !ok {
			return nil, fmt.Errorf("ask for log offsets of topic %q partition %d: the broker left it out", tp.Topic, tp.Partition)
		}
	}
	return out, nil
}
