package restore

import (
	"context"
	"encoding/binary"
	"fmt"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/millrace/millrace/processor/internal/broker"
)

// stalled looks why a topic of that id gives nothing between at and to. Either an
// open transaction is in the way, and it has to be waited for; or compaction has
// left nothing but empty batches, which a client never shows: then the position
// after them is returned; or its broker gives nothing for now, which is an error or
// leaves the position where it is.
func (r *Restorer) stalled(ctx context.Context, tp broker.TopicPartition, id [16]byte, at, to int64) (int64, error) {
	stable, err := broker.StableEnd.Ask(ctx, r.cfg.Requests, []broker.TopicPartition{tp})
	if err != nil {
		return at, err
	}
	if s := stable[tp]; s < to {
		r.note(fmt.Errorf("topic %q partition %d has an open transaction at offset %d; waiting until it ends or times out", tp.Topic, tp.Partition, s))
		return at, nil
	}
	leader, _, err := r.reader.PartitionLeader(tp.Topic, tp.Partition)
	if err != nil || leader < 0 {
		return at, err
	}
	req := kmsg.NewPtrFetchRequest()
	req.ReplicaID, req.MaxBytes, req.IsolationLevel, req.SessionEpoch = -1, broker.FetchBytes, 1, -1
	rt := kmsg.NewFetchRequestTopic()
	rt.Topic, rt.TopicID = tp.Topic, id // the client chooses the version, and with it one of them
	rp := kmsg.NewFetchRequestTopicPartition()
	rp.Partition, rp.FetchOffset, rp.PartitionMaxBytes, rp.CurrentLeaderEpoch = tp.Partition, at, broker.FetchBytes, -1
	rt.Partitions = append(rt.Partitions, rp)
	req.Topics = append(req.Topics, rt)
	resp, err := r.reader.Broker(int(leader)).RetriableRequest(ctx, req)
	if err != nil {
		return at, err
	}
	return skipEmpty(resp.(*kmsg.FetchResponse), at)
}

// skipEmpty returns the position after the batches of an answer for one
// partition if none of them has a record, else at, or the position after those
// before the first that has one.
func skipEmpty(resp *kmsg.FetchResponse, at int64) (int64, error) {
	const lengthAt, deltaAt, countAt, headerLen = 8, 23, 57, 61
	if len(resp.Topics) == 0 || len(resp.Topics[0].Partitions) == 0 {
		return at, nil
	}
	rp := &resp.Topics[0].Partitions[0]
	if err := kerr.ErrorForCode(rp.ErrorCode); err != nil {
		return at, err
	}
	for b := rp.RecordBatches; len(b) >= headerLen && binary.BigEndian.Uint32(b[countAt:]) == 0; {
		first := int64(binary.BigEndian.Uint64(b))
		at = max(at, first+int64(binary.BigEndian.Uint32(b[deltaAt:]))+1)
		b = b[min(len(b), 12+int(binary.BigEndian.Uint32(b[lengthAt:]))):]
	}
	return at, nil
}
