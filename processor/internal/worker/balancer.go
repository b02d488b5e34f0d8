package worker

import (
	"errors"
	"fmt"
	"slices"
	"strings"
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
	tell    func(error) // takes warnings; set by the member
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
//
// What we read is what the topology says. The client's own list has only the
// topics its metadata has seen yet: a member that joins right after its topics
// were made would look like one of another topology.
func (b *balancer) JoinGroupMetadata(_ []string, owned map[string][]int32, generation int32) []byte {
	meta := kmsg.NewConsumerMemberMetadata()
	meta.Version = 3
	meta.Topics = b.layout.topics()
	meta.UserData = b.layout.counts()
	meta.Generation = generation
	for _, t := range meta.Topics {
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
func (b *balancer) Balance(cb *kgo.ConsumerBalancer, counts map[string]int32) kgo.IntoSyncAssignment {
	b.tellGrowth(counts)
	var members []assign.Member
	byID := map[string]*kmsg.JoinGroupResponseMember{}
	known := map[string]map[string][]int32{} // the partition counts of each
	cb.EachMember(func(m *kmsg.JoinGroupResponseMember, meta *kmsg.ConsumerMemberMetadata) {
		if !slices.Equal(meta.Topics, b.layout.topics()) {
			cb.SetError(fmt.Errorf("%w: this member reads %q, member %s reads %q; stop the old version before the new one starts, or give the new one another application id", errSplit, b.layout.topics(), m.MemberID, meta.Topics))
		}
		byID[m.MemberID] = m
		known[m.MemberID], _ = kgo.ParseConsumerSyncAssignment(meta.UserData) // nil for a member that tells none
		members = append(members, assign.Member{
			ID: m.MemberID, Generation: meta.Generation, Owned: b.layout.covered(ownedPartitions(meta)),
		})
	})
	plan := cb.NewPlan()
	contested := b.layout.contested(members)
	for id, tasks := range b.layout.deal(members, known) {
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

// tellGrowth warns of topics that have gained partitions since the start: the
// layout is of then, and nobody reads the new ones.
func (b *balancer) tellGrowth(counts map[string]int32) {
	for s, topics := range b.layout.sources {
		for _, topic := range topics {
			if n, was := counts[topic], b.layout.partitions[s]; n > was && b.tell != nil {
				b.tell(fmt.Errorf("topic %q has %d partitions and had %d when this instance started: the new ones are not read before all instances have been restarted; where state is kept by its keys, many of them are in another partition now, a restart is refused, and `millrace reset` starts over", topic, n, was))
			}
		}
	}
}

// deal assigns every task to one of the members that know it: those that all know
// are balanced over all, those of added partitions over the members that were
// started since.
func (l *layout) deal(members []assign.Member, known map[string]map[string][]int32) map[string][]assign.Task {
	circles, tasks := map[string][]assign.Member{}, map[string][]assign.Task{}
	for _, t := range l.tasks() {
		var circle []assign.Member
		var names strings.Builder
		for _, m := range members {
			if l.known(t, known[m.ID]) {
				circle = append(circle, m)
				names.WriteString(m.ID + " ")
			}
		}
		name := names.String()
		circles[name], tasks[name] = circle, append(tasks[name], t)
	}
	dealt := map[string][]assign.Task{}
	for name, circle := range circles {
		for id, given := range assign.Assign(tasks[name], circle) {
			dealt[id] = append(dealt[id], given...)
		}
	}
	return dealt
}

// known says that a task is among those of a member's layout. A member of an
// older version says nothing of it, and is taken to have ours.
func (l *layout) known(t assign.Task, counts map[string][]int32) bool {
	for _, topic := range l.sources[t.Subtopology] {
		if n := counts[topic]; len(n) == 1 && t.Partition >= n[0] {
			return false
		}
	}
	return true
}

// counts is the user data of a member: how many partitions it knows of each of
// its topics. It has the format of an assignment, with that number in place of
// the list of partitions, so that it can grow.
func (l *layout) counts() []byte {
	counts := kmsg.NewConsumerMemberAssignment()
	for s, topics := range l.sources {
		for _, topic := range topics {
			counts.Topics = append(counts.Topics, kmsg.ConsumerMemberAssignmentTopic{Topic: topic, Partitions: l.partitions[s : s+1]})
		}
	}
	return counts.AppendTo(nil)
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
