package group

import (
	"encoding/json"
	"slices"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/millrace/millrace/processor/internal/assign"
)

// A profile is what a member tells of itself when it joins its group. All of it
// but the topics is in the user data, and a member of an older version may tell
// less: what it does not tell it is taken to have in common with the others.
//
// The user data has the format of an assignment: the number of partitions the
// member knows of each topic stands where the list of partitions would be, and
// the sub-topologies are, as JSON, the user data of that.
type profile struct {
	topics []string // sorted
	counts map[string][]int32
	subs   []knownSub // nil: not told
}

// A knownSub is a sub-topology as a member knows it. Members name it by its
// source topics, for its number may be another one in another version.
type knownSub struct {
	Topics []string `json:"topics"` // sorted
	Stores []string `json:"stores"` // sorted
}

// userData is what a member of this layout tells beside its topics.
func (l *Layout) userData() []byte {
	told := kmsg.NewConsumerMemberAssignment()
	var subs []knownSub
	for s, topics := range l.Sources {
		for _, topic := range topics {
			told.Topics = append(told.Topics, kmsg.ConsumerMemberAssignmentTopic{Topic: topic, Partitions: l.Partitions[s : s+1]})
		}
		sub := knownSub{Topics: sorted(topics), Stores: []string{}}
		if s < len(l.Stores) {
			sub.Stores = append(sub.Stores, l.Stores[s]...)
		}
		subs = append(subs, sub)
	}
	told.UserData, _ = json.Marshal(subs) // strings cannot fail
	return told.AppendTo(nil)
}

// readProfile reads what a member tells. User data that cannot be read is of
// another version, and tells nothing.
func readProfile(meta *kmsg.ConsumerMemberMetadata) profile {
	p := profile{topics: sorted(meta.Topics), counts: map[string][]int32{}}
	var told kmsg.ConsumerMemberAssignment
	if told.ReadFrom(meta.UserData) != nil {
		return p
	}
	for _, t := range told.Topics {
		p.counts[t.Topic] = t.Partitions
	}
	if json.Unmarshal(told.UserData, &p.subs) != nil {
		p.subs = nil
	}
	for i := range p.subs {
		p.subs[i].Topics = sorted(p.subs[i].Topics)
	}
	return p
}

// count is how many partitions of a topic the member knows; ok is false if it
// does not tell.
func (p *profile) count(topic string) (n int32, ok bool) {
	if told := p.counts[topic]; len(told) == 1 {
		return told[0], true
	}
	return 0, false
}

// knowsPartition reports whether the member knows the partition of all topics.
func (p *profile) knowsPartition(topics []string, partition int32) bool {
	for _, topic := range topics {
		if n, ok := p.count(topic); ok && partition >= n {
			return false
		}
	}
	return true
}

// knowsStores reports whether the member has all these stores in the sub-topology
// that reads the topics.
func (p *profile) knowsStores(topics, stores []string) bool {
	if p.subs == nil {
		return true
	}
	var known []string
	for _, sub := range p.subs {
		if slices.Equal(sub.Topics, sorted(topics)) {
			known = sub.Stores
		}
	}
	for _, s := range stores {
		if !slices.Contains(known, s) {
			return false
		}
	}
	return true
}

// A seat is a member of the group with what it tells and claims.
type seat struct {
	member     *kmsg.JoinGroupResponseMember
	profile    profile
	generation int32
	owned      map[string][]int32
}

// seatsOf lists the members of a group.
func seatsOf(cb *kgo.ConsumerBalancer) (seats []seat) {
	cb.EachMember(func(m *kmsg.JoinGroupResponseMember, meta *kmsg.ConsumerMemberMetadata) {
		s := seat{member: m, profile: readProfile(meta), generation: meta.Generation, owned: map[string][]int32{}}
		for _, o := range meta.OwnedPartitions {
			s.owned[o.Topic] = o.Partitions
		}
		seats = append(seats, s)
	})
	return seats
}

func (s *seat) id() string { return s.member.MemberID }

// claim is the member with the whole tasks of a layout that it owns.
func (s *seat) claim(l *Layout) assign.Member {
	return assign.Member{ID: s.id(), Generation: s.generation, Owned: l.Covered(s.owned)}
}

func sorted(names []string) []string {
	names = slices.Clone(names)
	slices.Sort(names)
	return names
}
