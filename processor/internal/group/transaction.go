package group

import (
	"context"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/millrace/millrace/processor/internal/broker"
)

// An OpenTxn is the transaction that offsets are added to.
type OpenTxn struct {
	Client  *kgo.Client // the producer's
	ID      string      // transactional id
	Stepped bool        // transaction.version below 2: the group is added by a request of its own
}

// CommitIn adds offsets to the open transaction of h, fenced by who and by the
// producer's epoch. Nothing is visible before the transaction ends.
func (g *Offsets) CommitIn(ctx context.Context, h OpenTxn, who Identity, offsets []OffsetCommit) error {
	pid, epoch, err := h.Client.ProducerID(ctx)
	if err != nil {
		return fmt.Errorf("producer id of transaction %q: %w", h.ID, err)
	}
	if h.Stepped {
		if err := g.join(ctx, h, pid, epoch); err != nil {
			return err
		}
	}
	req := kmsg.NewPtrTxnOffsetCommitRequest()
	req.TransactionalID, req.ProducerID, req.ProducerEpoch = h.ID, pid, epoch
	req.Group, req.MemberID, req.Generation = g.name, who.Member, who.Generation
	for _, of := range byTopic(offsets) {
		rt := kmsg.NewTxnOffsetCommitRequestTopic()
		rt.Topic, rt.TopicID = of[0].Topic, g.ids[of[0].Topic]
		for _, p := range of {
			rp := kmsg.NewTxnOffsetCommitRequestTopicPartition()
			rp.Partition, rp.Offset, rp.Metadata = p.Partition, p.Offset, &p.Metadata
			rt.Partitions = append(rt.Partitions, rp)
		}
		req.Topics = append(req.Topics, rt)
	}
	return concurrent(ctx, func() error { return g.sendTxnCommit(ctx, h, req) })
}

func (g *Offsets) sendTxnCommit(ctx context.Context, h OpenTxn, req *kmsg.TxnOffsetCommitRequest) error {
	resp, err := req.RequestWith(ctx, h.Client)
	if err != nil {
		return fmt.Errorf("add offsets of group %q to transaction %q: %w", g.name, h.ID, err)
	}
	for _, rt := range resp.Topics {
		for _, rp := range rt.Partitions {
			if err := kerr.ErrorForCode(rp.ErrorCode); err != nil {
				return fmt.Errorf("add the offset of group %q for topic %q partition %d to transaction %q: %w", g.name, g.topic(rt.Topic, rt.TopicID), rp.Partition, h.ID, err)
			}
		}
	}
	return nil
}

func (g *Offsets) join(ctx context.Context, h OpenTxn, pid int64, epoch int16) error {
	req := kmsg.NewPtrAddOffsetsToTxnRequest()
	req.TransactionalID, req.ProducerID, req.ProducerEpoch, req.Group = h.ID, pid, epoch, g.name
	return concurrent(ctx, func() error {
		resp, err := req.RequestWith(ctx, h.Client)
		if err == nil {
			err = kerr.ErrorForCode(resp.ErrorCode)
		}
		if err != nil {
			return fmt.Errorf("add group %q to transaction %q: %w", g.name, h.ID, err)
		}
		return nil
	})
}

// concurrent repeats do while the previous transaction is still being ended.
func concurrent(ctx context.Context, do func() error) error {
	for {
		err := do()
		if !errors.Is(err, kerr.ConcurrentTransactions) || !broker.Sleep(ctx, broker.ConcurrentPause) {
			return err
		}
	}
}
