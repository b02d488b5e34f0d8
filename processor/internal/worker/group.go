package worker

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/millrace/millrace/processor/internal/broker"
	"github.com/millrace/millrace/processor/internal/task"
)

// A committed offset is what the group has for one source partition.
type committed struct {
	offset  int64 // -1 if there is none
	meta    task.Meta
	foreign bool // it was not committed by Millrace
}

// noCommit is the answer for a partition that nobody has committed.
var noCommit = committed{offset: -1, meta: task.Meta{Watermark: math.MinInt64, Highest: math.MinInt64}}

// onlyFixed says that nothing was committed but where a bounded run ends.
func (c committed) onlyFixed() bool {
	return c.meta.Run != "" && c.meta.Watermark == math.MinInt64 && len(c.meta.Notes) == 0
}

// A group asks and writes the committed offsets by hand, for the group client
// knows only its own idea of positions. It is stateless and may be used by any
// goroutine.
type group struct {
	name   string
	client *kgo.Client
	ids    map[string][16]byte // topic ids, for protocol versions that want them
}

// fetch returns the committed offsets of parts. With stable it fails with
// UNSTABLE_OFFSET_COMMIT while a transaction is about to change them; what it
// returns is decided.
func (g *group) fetch(ctx context.Context, parts map[string][]int32, stable bool) (map[broker.TopicPartition]committed, error) {
	req := kmsg.NewPtrOffsetFetchRequest()
	req.RequireStable = stable
	rg := kmsg.NewOffsetFetchRequestGroup()
	rg.Group = g.name
	for topic, ps := range parts {
		rt := kmsg.NewOffsetFetchRequestGroupTopic()
		rt.Topic, rt.TopicID, rt.Partitions = topic, g.ids[topic], ps
		rg.Topics = append(rg.Topics, rt)
	}
	req.Groups = append(req.Groups, rg)
	resp, err := req.RequestWith(ctx, g.client)
	if err != nil {
		return nil, fmt.Errorf("fetch the committed offsets of group %q: %w", g.name, err)
	}
	return g.offsets(resp)
}

func (g *group) offsets(resp *kmsg.OffsetFetchResponse) (map[broker.TopicPartition]committed, error) {
	out := map[broker.TopicPartition]committed{}
	for _, rg := range resp.Groups {
		if err := kerr.ErrorForCode(rg.ErrorCode); err != nil {
			return nil, fmt.Errorf("fetch the committed offsets of group %q: %w", g.name, err)
		}
		for _, rt := range rg.Topics {
			topic := g.topic(rt.Topic, rt.TopicID)
			for _, rp := range rt.Partitions {
				if err := kerr.ErrorForCode(rp.ErrorCode); err != nil {
					return nil, fmt.Errorf("fetch the committed offset of group %q for topic %q partition %d: %w", g.name, topic, rp.Partition, err)
				}
				out[broker.TopicPartition{Topic: topic, Partition: rp.Partition}] = decodeCommitted(rp.Offset, rp.Metadata)
			}
		}
	}
	return out, nil
}

func decodeCommitted(offset int64, metadata *string) committed {
	if offset < 0 {
		return noCommit
	}
	if metadata == nil {
		return committed{offset: offset, foreign: true}
	}
	meta, err := task.DecodeMeta(*metadata)
	return committed{offset: offset, meta: meta, foreign: err != nil}
}

// topic names a topic of an answer that has only its id.
func (g *group) topic(name string, id [16]byte) string {
	if name != "" {
		return name
	}
	for topic, known := range g.ids {
		if known == id {
			return topic
		}
	}
	return fmt.Sprintf("of id %x", id)
}

// A pledge is one offset to commit.
type pledge struct {
	broker.TopicPartition
	offset   int64
	metadata string
}

// byTopic puts the pledges of each topic together, in order of appearance.
func byTopic(pledges []pledge) (topics [][]pledge) {
	at := map[string]int{}
	for _, p := range pledges {
		n, ok := at[p.Topic]
		if !ok {
			n = len(topics)
			at[p.Topic] = n
			topics = append(topics, nil)
		}
		topics[n] = append(topics[n], p)
	}
	return topics
}

// commit writes offsets outside of any transaction, fenced by who.
func (g *group) commit(ctx context.Context, who identity, pledges []pledge) error {
	req := kmsg.NewPtrOffsetCommitRequest()
	req.Group, req.MemberID, req.Generation = g.name, who.member, who.generation
	for _, of := range byTopic(pledges) {
		rt := kmsg.NewOffsetCommitRequestTopic()
		rt.Topic, rt.TopicID = of[0].Topic, g.ids[of[0].Topic]
		for _, p := range of {
			rp := kmsg.NewOffsetCommitRequestTopicPartition()
			rp.Partition, rp.Offset, rp.Metadata = p.Partition, p.offset, &p.metadata
			rt.Partitions = append(rt.Partitions, rp)
		}
		req.Topics = append(req.Topics, rt)
	}
	resp, err := req.RequestWith(ctx, g.client)
	if err != nil {
		return fmt.Errorf("commit offsets of group %q: %w", g.name, err)
	}
	for _, rt := range resp.Topics {
		for _, rp := range rt.Partitions {
			if err := kerr.ErrorForCode(rp.ErrorCode); err != nil {
				return fmt.Errorf("commit the offset of group %q for topic %q partition %d: %w", g.name, g.topic(rt.Topic, rt.TopicID), rp.Partition, err)
			}
		}
	}
	return nil
}

// A holder is the transaction that offsets are added to.
type holder struct {
	client  *kgo.Client // the producer's
	id      string      // transactional id
	stepped bool        // transaction.version below 2: the group is added by a request of its own
}

// commitIn adds offsets to the open transaction of h, fenced by who and by the
// producer's epoch. Nothing is visible before the transaction ends.
func (g *group) commitIn(ctx context.Context, h holder, who identity, pledges []pledge) error {
	pid, epoch, err := h.client.ProducerID(ctx)
	if err != nil {
		return fmt.Errorf("producer id of transaction %q: %w", h.id, err)
	}
	if h.stepped {
		if err := g.join(ctx, h, pid, epoch); err != nil {
			return err
		}
	}
	req := kmsg.NewPtrTxnOffsetCommitRequest()
	req.TransactionalID, req.ProducerID, req.ProducerEpoch = h.id, pid, epoch
	req.Group, req.MemberID, req.Generation = g.name, who.member, who.generation
	for _, of := range byTopic(pledges) {
		rt := kmsg.NewTxnOffsetCommitRequestTopic()
		rt.Topic, rt.TopicID = of[0].Topic, g.ids[of[0].Topic]
		for _, p := range of {
			rp := kmsg.NewTxnOffsetCommitRequestTopicPartition()
			rp.Partition, rp.Offset, rp.Metadata = p.Partition, p.offset, &p.metadata
			rt.Partitions = append(rt.Partitions, rp)
		}
		req.Topics = append(req.Topics, rt)
	}
	return concurrent(ctx, func() error { return g.sendTxnCommit(ctx, h, req) })
}

func (g *group) sendTxnCommit(ctx context.Context, h holder, req *kmsg.TxnOffsetCommitRequest) error {
	resp, err := req.RequestWith(ctx, h.client)
	if err != nil {
		return fmt.Errorf("add offsets of group %q to transaction %q: %w", g.name, h.id, err)
	}
	for _, rt := range resp.Topics {
		for _, rp := range rt.Partitions {
			if err := kerr.ErrorForCode(rp.ErrorCode); err != nil {
				return fmt.Errorf("add the offset of group %q for topic %q partition %d to transaction %q: %w", g.name, g.topic(rt.Topic, rt.TopicID), rp.Partition, h.id, err)
			}
		}
	}
	return nil
}

func (g *group) join(ctx context.Context, h holder, pid int64, epoch int16) error {
	req := kmsg.NewPtrAddOffsetsToTxnRequest()
	req.TransactionalID, req.ProducerID, req.ProducerEpoch, req.Group = h.id, pid, epoch, g.name
	return concurrent(ctx, func() error {
		resp, err := req.RequestWith(ctx, h.client)
		if err == nil {
			err = kerr.ErrorForCode(resp.ErrorCode)
		}
		if err != nil {
			return fmt.Errorf("add group %q to transaction %q: %w", g.name, h.id, err)
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

// leave takes a member out of the group, so that its tasks can move at once.
func (g *group) leave(ctx context.Context, memberID, reason string) error {
	req := kmsg.NewPtrLeaveGroupRequest()
	req.Group, req.MemberID = g.name, memberID
	m := kmsg.NewLeaveGroupRequestMember()
	m.MemberID, m.Reason = memberID, &reason
	req.Members = append(req.Members, m)
	resp, err := req.RequestWith(ctx, g.client)
	if err == nil {
		err = kerr.ErrorForCode(resp.ErrorCode)
	}
	if err == nil && len(resp.Members) > 0 {
		err = kerr.ErrorForCode(resp.Members[0].ErrorCode)
	}
	if err != nil && !errors.Is(err, kerr.UnknownMemberID) {
		return fmt.Errorf("take member %q out of group %q: %w", memberID, g.name, err)
	}
	return nil
}

// refused are the answers to an offset commit that say: you are not, or not
// now, who may commit this. Nothing is committed, and nothing is wrong.
func refused(err error) bool {
	for _, r := range []error{
		kerr.IllegalGeneration, kerr.UnknownMemberID, kerr.RebalanceInProgress, kerr.StaleMemberEpoch,
		kerr.FencedInstanceID, kerr.GroupIDNotFound, errLapsed,
	} {
		if errors.Is(err, r) {
			return true
		}
	}
	return false
}

// errLapsed says that a task was lost without a word.
var errLapsed = errors.New("the ownership has lapsed")
