package group

import (
	"fmt"
	"slices"
	"sync/atomic"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/millrace/millrace/processor/internal/assign"
)

// protocolName is how members of one group know that they balance alike.
const protocolName = "millrace"

// A balancer is our assignment in the terms of the group client: tasks instead
// of partitions, so that a partition number of all sources of a sub-topology
// goes to one member, and cooperative, so that what stays keeps running.
//
// The client calls it from its own goroutine. assignment may be read by anyone.
type balancer struct {
	layout *Layout
	tell   func(error) // takes warnings; set by the member
	// needs says, for members of our own layout, which stores the state of each
	// task has; nil, and a nil result, are unknown.
	needs   func([]seat) func(assign.Task) []string
	current atomic.Pointer[award]
}

// assignment is what the last successful sync gave us, all of it. It is the
// truth about what is ours; the client's callbacks only tell differences.
func (b *balancer) assignment() map[string][]int32 {
	if a := b.current.Load(); a != nil {
		return cloneAssignment(a.partitions)
	}
	return nil
}

// word is what the leader said with the last assignment.
func (b *balancer) word() word {
	if a := b.current.Load(); a != nil {
		return a.word
	}
	return word{}
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
	meta.UserData = b.layout.userData()
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
	got, err := readAward(assignment)
	if err != nil {
		return nil, err
	}
	b.current.Store(&award{cloneAssignment(got.partitions), got.word})
	return got.partitions, nil
}

// MemberBalancer is part of kgo.GroupBalancer. A member whose metadata cannot be
// read is taken to read nothing, so that it is refused and not the round.
func (b *balancer) MemberBalancer(members []kmsg.JoinGroupResponseMember) (kgo.GroupMemberBalancer, map[string]struct{}, error) {
	members = slices.Clone(members)
	for i := range members {
		if meta := kmsg.NewConsumerMemberMetadata(); meta.ReadFrom(members[i].ProtocolMetadata) != nil {
			nothing := kmsg.NewConsumerMemberMetadata()
			members[i].ProtocolMetadata = nothing.AppendTo(nil)
		}
	}
	cb, err := kgo.NewConsumerBalancer(b, members)
	return cb, cb.MemberTopics(), err
}

// Balance is part of kgo.ConsumerBalancerBalance. Only the leader calls it.
func (b *balancer) Balance(cb *kgo.ConsumerBalancer, counts map[string]int32) kgo.IntoSyncAssignment {
	camps := campsOf(seatsOf(cb), b.layout, counts)
	p := &plan{cb.NewPlan(), map[string]word{}}
	if len(camps) == 0 {
		return p
	}
	stays, claims := camps[0], []assign.Member{}
	for _, s := range stays.seats {
		claims = append(claims, s.claim(stays.layout))
	}
	for _, c := range camps[1:] {
		for _, s := range c.seats {
			p.words[s.id()] = word{Others: stays.view()}
			claims = append(claims, assign.Member{ID: s.id(), Generation: s.generation, Owned: stays.layout.touched(s.owned)})
		}
	}
	b.deal(p, stays, stays.layout.contested(claims))
	p.AdjustCooperative(cb)
	p.tellComing(stays)
	if stays.layout == b.layout {
		b.tellGrowth(counts)
	}
	return p
}

// deal puts the tasks of a camp into the plan, but for those that are contested.
// Which stores they need is known of our own tasks only.
func (b *balancer) deal(p *plan, c *camp, contested map[assign.Task]bool) {
	var needs func(assign.Task) []string
	if b.needs != nil && c.layout == b.layout {
		needs = b.needs(c.seats)
	}
	dealt := c.layout.deal(c.seats, needs)
	for _, s := range c.seats {
		tasks := dealt[s.id()]
		if len(tasks) > 0 {
			p.words[s.id()] = word{Coming: len(tasks)}
		}
		for _, t := range tasks {
			if contested[t] {
				continue
			}
			for _, topic := range c.layout.Sources[t.Subtopology] {
				p.AddPartition(s.member, topic, t.Partition)
			}
		}
	}
}

// tellGrowth warns of topics that have gained partitions since the start: the
// layout is of then, and nobody reads the new ones.
func (b *balancer) tellGrowth(counts map[string]int32) {
	for s, topics := range b.layout.Sources {
		for _, topic := range topics {
			if n, was := counts[topic], b.layout.Partitions[s]; n > was && b.tell != nil {
				b.tell(fmt.Errorf("topic %q has %d partitions and had %d when this instance started: the new ones are not read before all instances have been restarted; where state is kept by its keys, many of them are in another partition now, a restart is refused, and `millrace reset` starts over", topic, n, was))
			}
		}
	}
}
