package group

import (
	"reflect"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// two sub-topologies: a and b are read together, c alone.
func twoSubtopologies() *balancer {
	return &balancer{layout: &Layout{Sources: [][]string{{"a", "b"}, {"c"}}, Partitions: []int32{2, 2}}}
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
	out := map[string]map[string][]int32{}
	for id, a := range awards(t, b, members...) {
		out[id] = a.partitions
	}
	return out
}

// awards is balance with what is said beside.
func awards(t *testing.T, b *balancer, members ...kmsg.JoinGroupResponseMember) map[string]award {
	t.Helper()
	out, err := awardsOf(b, members)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func awardsOf(b *balancer, members []kmsg.JoinGroupResponseMember) (map[string]award, error) {
	mb, _, err := b.MemberBalancer(members)
	if err != nil {
		return nil, err
	}
	plan, err := mb.(kgo.GroupMemberBalancerOrError).BalanceOrError(map[string]int32{"a": 2, "b": 2, "c": 2, "y": 2, "z": 2})
	if err != nil {
		return nil, err
	}
	out := map[string]award{}
	for _, a := range plan.IntoSyncAssignment() {
		if _, err := b.ParseSyncAssignment(a.MemberAssignment); err != nil {
			return nil, err
		}
		out[a.MemberID] = award{b.assignment(), b.word()}
	}
	return out, nil
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
	if got := b.layout.Covered(map[string][]int32{"a": {0, 1}, "b": {1}, "c": {}}); len(got) != 1 || got[0].Partition != 1 {
		t.Errorf("covered: %v", got)
	}
}

// A member says what its topology reads, not what its client has seen of that: a
// topic that was only just made is not seen by every broker yet.
func TestBalancerBeforeAllTopicsAreSeen(t *testing.T) {
	b := twoSubtopologies()
	early := kmsg.NewJoinGroupResponseMember()
	early.MemberID = "m1"
	early.ProtocolMetadata = b.JoinGroupMetadata([]string{"a"}, map[string][]int32{"c": {1}}, 1)
	want := map[string]map[string][]int32{"m1": {"a": {0, 1}, "b": {0, 1}, "c": {0, 1}}}
	if got := balance(t, b, early); !reflect.DeepEqual(got, want) {
		t.Errorf("it is told %v", got)
	}
}

// The tasks of added partitions go to the members that were started since, and
// the others make up for it; what was dealt stays.
func TestBalancerAddedPartitions(t *testing.T) {
	before, after := twoSubtopologies(), twoSubtopologies()
	after.layout.Partitions[1] = 4
	first := balance(t, after, joined(before, "m1", 1, nil), joined(after, "m2", 1, nil))
	tasks := map[string]int{}
	for id, parts := range first {
		tasks[id] = len(after.layout.Covered(parts))
	}
	if len(before.layout.Covered(first["m1"])) != 3 || tasks["m1"] != 3 || tasks["m2"] != 3 {
		t.Fatalf("first round: %v", first)
	}
	second := balance(t, after, joined(before, "m1", 2, first["m1"]), joined(after, "m2", 2, first["m2"]))
	if !reflect.DeepEqual(second, first) {
		t.Errorf("second round: %v, after %v", second, first)
	}
}

// A task that was given to a member that does not know it goes to one that does.
func TestBalancerTaskOfTheWrongMember(t *testing.T) {
	before, after := twoSubtopologies(), twoSubtopologies()
	after.layout.Partitions[1] = 3
	stuck, own := map[string][]int32{"a": {0}, "b": {0}, "c": {0, 2}}, map[string][]int32{"a": {1}, "b": {1}, "c": {1}}
	first := balance(t, after, joined(before, "m1", 5, stuck), joined(after, "m2", 5, own))
	if got := first["m1"]["c"]; !reflect.DeepEqual(got, []int32{0}) || !reflect.DeepEqual(first["m2"], own) {
		t.Fatalf("first round: %v", first)
	}
	second := balance(t, after, joined(before, "m1", 6, first["m1"]), joined(after, "m2", 6, own))
	if got := second["m2"]["c"]; !reflect.DeepEqual(got, []int32{1, 2}) {
		t.Errorf("second round: %v", second)
	}
}

// A member of a version that does not tell its partition counts gets its share.
func TestBalancerMemberOfAnOlderVersion(t *testing.T) {
	b := twoSubtopologies()
	for _, data := range [][]byte{nil, {}, []byte("?")} {
		meta := kmsg.NewConsumerMemberMetadata()
		meta.Version, meta.Topics, meta.Generation, meta.UserData = 3, b.layout.topics(), 1, data
		old := kmsg.NewJoinGroupResponseMember()
		old.MemberID, old.ProtocolMetadata = "m1", meta.AppendTo(nil)
		got := balance(t, b, old, joined(b, "m2", 1, nil))
		if n, m := len(b.layout.Covered(got["m1"])), len(b.layout.Covered(got["m2"])); n != 2 || m != 2 {
			t.Errorf("user data %q: %v", data, got)
		}
	}
}

// The leader tells of topics that have more partitions than when it started, and
// not of those its client has not seen all of yet.
func TestBalancerTellsOfGrowth(t *testing.T) {
	b := twoSubtopologies()
	var told []error
	b.tell = func(err error) { told = append(told, err) }
	mb, _, err := b.MemberBalancer([]kmsg.JoinGroupResponseMember{joined(b, "m1", 1, nil)})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := mb.(kgo.GroupMemberBalancerOrError).BalanceOrError(map[string]int32{"a": 2, "b": 0, "c": 5}); err != nil {
		t.Fatal(err)
	}
	if len(told) != 1 || !strings.Contains(told[0].Error(), `topic "c" has 5 partitions and had 2`) {
		t.Errorf("told: %v", told)
	}
}

// The last assignment is kept whole, and nobody can change it by its maps.
func TestBalancerRemembersTheAssignment(t *testing.T) {
	b := twoSubtopologies()
	if got := b.assignment(); got != nil {
		t.Errorf("before the first sync: %v", got)
	}
	want := map[string]map[string][]int32{"m1": {"a": {0, 1}, "b": {0, 1}, "c": {0, 1}}}
	if got := balance(t, b, joined(b, "m1", 1, nil)); !reflect.DeepEqual(got, want) {
		t.Fatalf("alone: %v", got)
	}
	assignment := kmsg.NewConsumerMemberAssignment()
	for _, topic := range []string{"a", "b", "c"} {
		assignment.Topics = append(assignment.Topics, kmsg.ConsumerMemberAssignmentTopic{Topic: topic, Partitions: []int32{0, 1}})
	}
	theirs, err := b.ParseSyncAssignment(assignment.AppendTo(nil))
	if err != nil {
		t.Fatal(err)
	}
	theirs["a"][0] = 9 // the client's own
	b.assignment()["a"][1] = 9
	delete(b.assignment(), "b")
	if kept := b.assignment(); !reflect.DeepEqual(kept, want["m1"]) {
		t.Errorf("kept: %v", kept)
	}
}
