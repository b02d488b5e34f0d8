package worker

import (
	"errors"
	"fmt"
	"slices"
	"sync/atomic"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/millrace/millrace/processor/internal/assign"
)

// protocolName is how members of one group know that they balance alike.
const protocolName = "millrace"

// errSplit says that one group runs two topologies.
var errSplit = errors.New("the group runs two different topologies")

// A layout is the set of tasks of an application: for each sub-topology its
// source topics and how many partitions they have. It never changes.
type layout struct {
	sources    [][]string
	partitions []int32
}

// tasks lists every task.
func (l *layout) tasks() (all []assign.Task) {
	for s, n := range l.partitions {
		for p := range n {
			all = append(all, assign.Task{Subtopology: s, Partition: p})
		}
	}
	return all
}

// covered lists the tasks all of whose source partitions are in parts.
func (l *layout) covered(parts map[string][]int32) (all []assign.Task) {
	for _, t := range l.tasks() {
		if covers(parts, l.sources[t.Subtopology], t.Partition) {
			all = append(all, t)
		}
	}
	return all
}

// topics lists all source topics, sorted.
func (l *layout) topics() []string {
	all := slices.Concat(l.sources...)
	slices.Sort(all)
	return all
}

// A balancer is our assignment in the terms of the group client: tasks instead
// of partitions, so that a partition number of all sources of a sub-topology
// goes to one member, and cooperative, so that what stays keeps running.
//
// The client calls it from its own goroutine. assignment may be read by anyone.
type balancer struct {
	layout  *layout
	current atomic.Pointer[map[string][]int32]
}

// assignment is what the last successful sync gave us, all of it. It is the
// truth about what is ours; the client's callbacks only tell differences.
func (b *balancer) assignment() map[string][]int32 {
	if p := b.current.Load(); p != nil {
		return cloneAssignment(*p)
	}
	return nil
}

// ProtocolName is part of kgo.GroupBalancer.
func (b *balancer) ProtocolName() string { return protocolName }

// IsCooperative is part of kgo.GroupBalancer.
func (b *balancer) IsCooperative() bool { return true }

// JoinGroupMetadata is part of kgo.GroupBalancer. It says what we read and what
// we hold, in the format of Kafka's consumers, so that tools understand it.
func (b *balancer) JoinGroupMetadata(topics []string, owned map[string][]int32, generation int32) []byte {
	meta := kmsg.NewConsumerMemberMetadata()
	meta.Version = 3
	meta.Topics = topics
	meta.Generation = generation
	for _, t := range topics {
		if len(owned[t]) > 0 {
			o := kmsg.NewConsumerMemberMetadataOwnedPartition()
			o.Topic, o.Partitions = t, owned[t]
			meta.OwnedPartitions = append(meta.OwnedPartitions, o)
		}
	}
	return meta.AppendTo(nil)
}

// ParseSyncAssignment is part of kgo.GroupBalancer.
func (b *balancer) ParseSyncAssignment(assignment []byte) (map[string][]int32, error) {
	parts, err := kgo.ParseConsumerSyncAssignment(assignment)
	if err != nil {
		return nil, err
	}
	kept := cloneAssignment(parts)
	b.current.Store(&kept)
	return parts, nil
}

// MemberBalancer is part of kgo.GroupBalancer.
func (b *balancer) MemberBalancer(members []kmsg.JoinGroupResponseMember) (kgo.GroupMemberBalancer, map[string]struct{}, error) {
	cb, err := kgo.NewConsumerBalancer(b, members)
	return cb, cb.MemberTopics(), err
}

// Balance is part of kgo.ConsumerBalancerBalance. Only the leader calls it.
func (b *balancer) Balance(cb *kgo.ConsumerBalancer, _ map[string]int32) kgo.IntoSyncAssignment {
	var members []assign.Member
	byID := map[string]*kmsg.JoinGroupResponseMember{}
	cb.EachMember(func(m *kmsg.JoinGroupResponseMember, meta *kmsg.ConsumerMemberMetadata) {
		if !slices.Equal(meta.Topics, b.layout.topics()) {
			cb.SetError(fmt.Errorf("%w: this member reads %q, member %s reads %q; stop the old version before the new one starts, or give the new one another application id", errSplit, b.layout.topics(), m.MemberID, meta.Topics))
		}
		byID[m.MemberID] = m
		members = append(members, assign.Member{
			ID: m.MemberID, Generation: meta.Generation, Owned: b.layout.covered(ownedPartitions(meta)),
		})
	})
	plan := cb.NewPlan()
	contested := b.layout.contested(members)
	for id, tasks := range assign.Assign(b.layout.tasks(), members) {
		for _, t := range tasks {
			if contested[t] {
				continue
			}
			for _, topic := range b.layout.sources[t.Subtopology] {
				plan.AddPartition(byID[id], topic, t.Partition)
			}
		}
	}
	plan.AdjustCooperative(cb)
	return plan
}

// contested are the tasks that several members say they run, none of them with a
// later generation than the others. A member that was thrown out, and has joined
// again without having been told what became of its tasks, can claim them as
// freshly as their owner does, and the client's own adjustment then lets a task
// go from one to the other without a revocation in between. Such tasks are given
// to nobody in this round, so that all claimants give them up first.
func (l *layout) contested(members []assign.Member) map[assign.Task]bool {
	newest, contested := map[assign.Task]int32{}, map[assign.Task]bool{}
	for _, m := range members {
		for _, t := range m.Owned {
			at, claimed := newest[t]
			switch {
			case !claimed || m.Generation > at:
				newest[t], contested[t] = m.Generation, false
			case m.Generation == at:
				contested[t] = true
			}
		}
	}
	return contested
}

func ownedPartitions(meta *kmsg.ConsumerMemberMetadata) map[string][]int32 {
	owned := make(map[string][]int32, len(meta.OwnedPartitions))
	for _, o := range meta.OwnedPartitions {
		owned[o.Topic] = o.Partitions
	}
	return owned
}
