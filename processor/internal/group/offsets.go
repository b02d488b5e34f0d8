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

// Offsets asks for and writes the committed offsets by hand, for the group client
// knows only its own idea of positions. It is stateless and may be used by any
// goroutine.
//
// Rejected: kgo's GroupTransactSession. It commits and rewinds to polled
// positions, so records in a task's queue would be lost; it swallows callbacks;
// and it couples the transaction to one consumer, which excludes two
// alternating transactional ids.
type Offsets struct {
	name   string
	client *kgo.Client
	ids    map[string][16]byte // topic ids, for protocol versions that want them
}

// NewOffsets are the offsets of a group. The ids of the topics must not change any more.
func NewOffsets(name string, client *kgo.Client, ids map[string][16]byte) *Offsets {
	return &Offsets{name, client, ids}
}

// Fetch returns the committed offsets of parts, given by topic. With stable it fails with
// UNSTABLE_OFFSET_COMMIT while a transaction is about to change them; what it
// returns is decided.
func (g *Offsets) Fetch(ctx context.Context, parts map[string][]int32, stable bool) (map[broker.TopicPartition]Committed, error) {
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

func (g *Offsets) offsets(resp *kmsg.OffsetFetchResponse) (map[broker.TopicPartition]Committed, error) {
	out := map[broker.TopicPartition]Committed{}
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

// topic names a topic of an answer that has only its id.
func (g *Offsets) topic(name string, id [16]byte) string {
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

// An OffsetCommit is one offset to commit.
type OffsetCommit struct {
	broker.TopicPartition
	Offset   int64
	Metadata string // task.Meta, encoded
}

// byTopic puts the commits of each topic together, in order of appearance.
func byTopic(offsets []OffsetCommit) (topics [][]OffsetCommit) {
	at := map[string]int{}
	for _, p := range offsets {
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

// Commit writes offsets outside of any transaction, fenced by who. Of an error that
// is not Refused it is not known whether they were written.
func (g *Offsets) Commit(ctx context.Context, who Identity, offsets []OffsetCommit) error {
	req := kmsg.NewPtrOffsetCommitRequest()
	req.Group, req.MemberID, req.Generation = g.name, who.Member, who.Generation
	for _, of := range byTopic(offsets) {
		rt := kmsg.NewOffsetCommitRequestTopic()
		rt.Topic, rt.TopicID = of[0].Topic, g.ids[of[0].Topic]
		for _, p := range of {
			rp := kmsg.NewOffsetCommitRequestTopicPartition()
			rp.Partition, rp.Offset, rp.Metadata = p.Partition, p.Offset, &p.Metadata
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

// Leave takes a member out of the group, so that its tasks can move at once. One
// that is not in it is no error.
func (g *Offsets) Leave(ctx context.Context, memberID, reason string) error {
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
