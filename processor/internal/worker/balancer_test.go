package worker

import (
	"errors"
	"reflect"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// two sub-topologies: a and b are read together, c alone.
func twoSubtopologies() *balancer {
	return &balancer{layout: &layout{sources: [][]string{{"a", "b"}, {"c"}}, partitions: []int32{2, 2}}}
}

func joined(b *balancer, id string, generation int32, owned map[string][]int32) kmsg.JoinGroupResponseMember {
	m := kmsg.NewJoinGroupResponseMember()
	m.MemberID = id
	m.ProtocolMetadata = b.JoinGroupMetadata(b.layout.topics(), owned, generation)
	return m
}

// balance runs one round as the group client does and returns what each member
// is told.
func balance(t *testing.T, b *balancer, members ...kmsg.JoinGroupResponseMember) map[string]map[string][]int32 {
	t.Helper()
	mb, topics, err := b.MemberBalancer(members)
	if err != nil || len(topics) != 3 {
		t.Fatalf("topics %v, %v", topics, err)
	}
	plan, err := mb.(kgo.GroupMemberBalancerOrError).BalanceOrError(map[string]int32{"a": 2, "b": 2, "c": 2})
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]map[string][]int32{}
	for _, a := range plan.IntoSyncAssignment() {
		parts, err := b.ParseSyncAssignment(a.MemberAssignment)
		if err != nil {
			t.Fatal(err)
		}
		out[a.MemberID] = parts
	}
	return out
}

// A task moves in two rounds, whole: first its owner gives it up, then the other
// gets it.
func TestBalancerMovesWholeTasks(t *testing.T) {
	b := twoSubtopologies()
	all := map[string][]int32{"a": {0, 1}, "b": {0, 1}, "c": {0, 1}}
	first := balance(t, b, joined(b, "m1", 5, all), joined(b, "m2", 5, nil))
	kept := map[string][]int32{"a": {0}, "b": {0}, "c": {0}}
	if !reflect.DeepEqual(first["m1"], kept) || len(first["m2"]) != 0 {
		t.Fatalf("first round: %v", first)
	}
	second := balance(t, b, joined(b, "m1", 6, kept), joined(b, "m2", 6, nil))
	moved := map[string][]int32{"a": {1}, "b": {1}, "c": {1}}
	if !reflect.DeepEqual(second["m1"], kept) || !reflect.DeepEqual(second["m2"], moved) {
		t.Fatalf("second round: %v", second)
	}
}

// A member that owns only a part of a task does not own the task.
func TestBalancerHalfATask(t *testing.T) {
	b := twoSubtopologies()
	if got := b.layout.covered(map[string][]int32{"a": {0, 1}, "b": {1}, "c": {}}); len(got) != 1 || got[0].Partition != 1 {
		t.Errorf("covered: %v", got)
	}
}

// Two topologies in one group are refused by name.
func TestBalancerTwoTopologies(t *testing.T) {
	b := twoSubtopologies()
	other := kmsg.NewJoinGroupResponseMember()
	other.MemberID = "stranger"
	other.ProtocolMetadata = b.JoinGroupMetadata([]string{"z"}, nil, 1)
	mb, _, err := b.MemberBalancer([]kmsg.JoinGroupResponseMember{joined(b, "m1", 1, nil), other})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := mb.(kgo.GroupMemberBalancerOrError).BalanceOrError(nil); !errors.Is(err, errSplit) {
		t.Errorf("got %v", err)
	}
}

// The last assignment is kept whole, and nobody can change it by its maps.
func TestBalancerRemembersTheAssignment(t *testing.T) {
	b := twoSubtopologies()
	if got := b.assignment(); got != nil {
		t.Errorf("before the first sync: %v", got)
	}
	want := map[string]map[string][]int32{"m1": {"a": {0, 1}, "b": {0, 1}, "c": {0, 1}}}
	got := balance(t, b, joined(b, "m1", 1, nil))
	if !reflect.DeepEqual(got, want) {
		t.Fatalf("alone: %v", got)
	}
	got["m1"]["a"][0] = 9
	delete(got["m1"], "b")
	if kept := b.assignment(); !reflect.DeepEqual(kept, want["m1"]) {
		t.Errorf("kept: %v", kept)
	}
}
