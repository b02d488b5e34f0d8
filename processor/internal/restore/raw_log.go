package restore

import (
	"context"
	"encoding/binary"
	"iter"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/millrace/millrace/processor/internal/broker"
)

// A rawLog is a partition as its broker stores it: in batches, those that compaction
// has thinned out among them, which a client shows as if there had never been more.
type rawLog struct {
	client *kgo.Client
	tp     broker.TopicPartition
	id     [16]byte // of the topic
	leader int32
}

// batches are those from the one that holds an offset on, or from the next one; none
// if the broker gives nothing for now. The last one may be torn.
func (l rawLog) batches(ctx context.Context, at int64) ([]byte, error) {
	req := kmsg.NewPtrFetchRequest()
	req.ReplicaID, req.MaxBytes, req.MinBytes, req.IsolationLevel, req.SessionEpoch = -1, broker.FetchBytes, 1, 1, -1
	req.MaxWaitMillis = int32(broker.FetchWait.Milliseconds())
	rt := kmsg.NewFetchRequestTopic()
	rt.Topic, rt.TopicID = l.tp.Topic, l.id // the client chooses the version, and with it one of them
	rp := kmsg.NewFetchRequestTopicPartition()
	rp.Partition, rp.FetchOffset, rp.PartitionMaxBytes, rp.CurrentLeaderEpoch = l.tp.Partition, at, broker.FetchBytes, -1
	rt.Partitions = append(rt.Partitions, rp)
	req.Topics = append(req.Topics, rt)
	resp, err := l.client.Broker(int(l.leader)).RetriableRequest(ctx, req)
	if err != nil {
		return nil, err
	}
	topics := resp.(*kmsg.FetchResponse).Topics
	if len(topics) == 0 || len(topics[0].Partitions) == 0 {
		return nil, nil
	}
	return topics[0].Partitions[0].RecordBatches, kerr.ErrorForCode(topics[0].Partitions[0].ErrorCode)
}

// A rawBatch is the head of a batch: which offsets it was written with, and how many
// records it has still.
type rawBatch struct{ first, last, count int64 }

// eachBatch takes the bytes of a fetch apart. One of which the head is not whole is
// left out.
func eachBatch(b []byte) iter.Seq[rawBatch] {
	const lengthAt, beforeLength, deltaAt, countAt, headLen = 8, 12, 23, 57, 61
	return func(yield func(rawBatch) bool) {
		for len(b) >= headLen {
			first := int64(binary.BigEndian.Uint64(b))
			head := rawBatch{first, first + int64(binary.BigEndian.Uint32(b[deltaAt:])), int64(binary.BigEndian.Uint32(b[countAt:]))}
			if !yield(head) {
				return
			}
			b = b[min(len(b), beforeLength+int(binary.BigEndian.Uint32(b[lengthAt:]))):]
		}
	}
}
