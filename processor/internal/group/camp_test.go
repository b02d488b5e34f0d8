package group

import (
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/millrace/millrace/processor/internal/assign"
)

// reading is the balancer of an instance that reads other topics.
func reading(partitions int32, groups ...[]string) *balancer {
	l := &Layout{Sources: groups}
	for range groups {
		l.Partitions = append(l.Partitions, partitions)
	}
	return &balancer{layout: l}
}

// silent is a member of a version that tells its topics and partition counts only.
func silent(b *balancer, id string, generation int32, owned map[string][]int32) kmsg.JoinGroupResponseMember {
	m := joined(b, id, generation, owned)
	var meta kmsg.ConsumerMemberMetadata
	var told kmsg.ConsumerMemberAssignment
	if meta.ReadFrom(m.ProtocolMetadata) != nil || told.ReadFrom(meta.UserData) != nil {
		panic("a member cannot be read")
	}
	told.UserData = nil
	meta.UserData = told.AppendTo(nil)
	m.ProtocolMetadata = meta.AppendTo(nil)
	return m
}

type parts = map[string][]int32

// Members that do not read what the others read get nothing and are told why,
// whoever leads.
func TestCampThatGoesOn(t *testing.T) {
	two, other, joint := twoSubtopologies(), reading(2, []string{"y", "z"}), reading(2, []string{"a", "b", "c"})
	other.needs = func(seats []seat) func(assign.Task) []string {
		t.Errorf("a leader is asked for the stores of tasks that are not of its layout: those of %d members", len(seats))
		return nil
	}
	join := joined
	half, rest := parts{"a": {0}, "b": {0}, "c": {0}}, parts{"a": {1}, "b": {1}, "c": {1}}
	both := parts{"a": {0, 1}, "b": {0, 1}, "c": {0, 1}}
	for name, tt := range map[string]struct {
		members []kmsg.JoinGroupResponseMember
		stay    map[string]parts // nil: all that the others do not have
		refused []string
	}{
		"alone":                      {[]kmsg.JoinGroupResponseMember{join(two, "m1", 1, nil)}, map[string]parts{"m1": both}, nil},
		"a newcomer":                 {[]kmsg.JoinGroupResponseMember{join(two, "m1", 5, half), join(two, "m2", 5, rest), join(other, "a0", -1, nil)}, map[string]parts{"m1": half, "m2": rest}, []string{"a0"}},
		"three newcomers":            {[]kmsg.JoinGroupResponseMember{join(two, "m1", 5, both), join(other, "a0", -1, nil), join(other, "a1", -1, nil), join(other, "a2", -1, nil)}, map[string]parts{"m1": both}, []string{"a0", "a1", "a2"}},
		"nobody owns, more members":  {[]kmsg.JoinGroupResponseMember{join(other, "a0", -1, nil), join(two, "m1", -1, nil), join(two, "m2", -1, nil)}, map[string]parts{"m1": {"a": {0}, "b": {0}, "c": {0}}, "m2": {"a": {1}, "b": {1}, "c": {1}}}, []string{"a0"}},
		"nobody owns, as many":       {[]kmsg.JoinGroupResponseMember{join(other, "m9", -1, nil), join(two, "m1", -1, nil)}, map[string]parts{"m1": both}, []string{"m9"}},
		"one loose topic of a group": {[]kmsg.JoinGroupResponseMember{join(two, "m1", 5, both), join(joint, "m2", -1, nil)}, map[string]parts{"m1": both}, []string{"m2"}},
		"silent newcomer":            {[]kmsg.JoinGroupResponseMember{join(two, "m1", 5, both), silent(other, "a0", -1, nil)}, map[string]parts{"m1": both}, []string{"a0"}},
		"silent members stay":        {[]kmsg.JoinGroupResponseMember{silent(two, "m1", 5, half), silent(two, "m2", 5, rest), join(other, "a0", -1, nil)}, map[string]parts{"m1": half, "m2": rest}, []string{"a0"}},
		"silent ones fit":            {[]kmsg.JoinGroupResponseMember{silent(two, "m1", 5, half), join(two, "m2", 5, rest)}, map[string]parts{"m1": half, "m2": rest}, nil},
	} {
		for leader, b := range map[string]*balancer{"one that stays": two, "one that is refused": other, "one that joins more": joint} {
			if (leader != "one that stays") && slices.Contains([]string{"silent ones fit"}, name) {
				continue // nobody of the leader's kind is there
			}
			t.Run(name+", led by "+leader, func(t *testing.T) { checkCamps(t, b, tt.members, tt.stay, tt.refused) })
		}
	}
}

func checkCamps(t *testing.T, leader *balancer, members []kmsg.JoinGroupResponseMember, stay map[string]parts, refused []string) {
	t.Helper()
	got := awards(t, leader, members...)
	for id, want := range stay {
		if a := got[id]; !reflect.DeepEqual(a.partitions, want) || len(a.word.Others) > 0 {
			t.Errorf("%s, which stays, is told %+v; want %v", id, a, want)
		}
	}
	for _, id := range refused {
		a := got[id]
		if len(a.partitions) > 0 || len(a.word.Others) == 0 {
			t.Errorf("%s, which is refused, is told %+v", id, a)
		}
	}
}

// Of members that do not tell what they read together, a leader that reads
// something else leaves whole whatever may be one task.
func TestCampThatDoesNotTell(t *testing.T) {
	two, other := twoSubtopologies(), reading(2, []string{"y", "z"})
	members := []kmsg.JoinGroupResponseMember{joined(other, "a0", -1, nil)}
	for _, id := range []string{"m1", "m2", "m3"} {
		members = append(members, silent(two, id, -1, nil))
	}
	stay := map[string]parts{"m1": {"a": {0}, "b": {0}, "c": {0}}, "m2": {"a": {1}, "b": {1}, "c": {1}}, "m3": {}}
	checkCamps(t, other, members, stay, []string{"a0"})
}

// Metadata that nobody can read is one member's, and not the round's.
func TestMemberThatCannotBeRead(t *testing.T) {
	two := twoSubtopologies()
	broken := joined(two, "a0", -1, nil)
	for _, data := range [][]byte{nil, {0}, []byte("not of this protocol at all")} {
		broken.ProtocolMetadata = data
		all := parts{"a": {0, 1}, "b": {0, 1}, "c": {0, 1}}
		checkCamps(t, two, []kmsg.JoinGroupResponseMember{broken, joined(two, "m1", 5, all)}, map[string]parts{"m1": all}, []string{"a0"})
	}
}

// A camp that is refused while it owns tasks of the same names gives them up
// before those who stay get them.
func TestCampThatIsRefusedGivesUpFirst(t *testing.T) {
	two, joint := twoSubtopologies(), reading(2, []string{"a", "b", "c"})
	first := awards(t, two, joined(two, "m1", 5, parts{"a": {0}, "b": {0}, "c": {0, 1}}), joined(joint, "m2", 5, parts{"a": {1}, "b": {1}}))
	if got, want := first["m1"], (award{parts{"a": {0}, "b": {0}, "c": {0, 1}}, word{Coming: 1}}); !reflect.DeepEqual(got, want) {
		t.Errorf("the one that stays is told %+v, want %+v", got, want)
	}
	if got := first["m2"]; len(got.partitions) > 0 || len(got.word.Others) != 2 {
		t.Errorf("the other is told %+v", got)
	}
}

// A task that both camps claim with the same right is nobody's for a round.
func TestCampsThatClaimTheSame(t *testing.T) {
	two, joint := twoSubtopologies(), reading(2, []string{"a", "b", "c"})
	all := parts{"a": {0, 1}, "b": {0, 1}, "c": {0, 1}}
	got := awards(t, two, joined(two, "m1", 5, all), joined(joint, "m2", 5, parts{"b": {1}}))["m1"]
	if want := (award{parts{"a": {0}, "b": {0}, "c": {0, 1}}, word{Coming: 1}}); !reflect.DeepEqual(got, want) {
		t.Errorf("told %+v, want %+v", got, want)
	}
}

// The refusal names both and what to do.
func TestRefusalNamesBoth(t *testing.T) {
	w := word{Others: [][]string{{"z"}}}
	err := w.refusal("app", twoSubtopologies().layout)
	if !errors.Is(err, errRefused) {
		t.Fatal(err)
	}
	for _, want := range []string{`[["a" "b"] ["c"]]`, `[["z"]]`, `group "app"`, "stop all instances", "another application id"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("it does not say %q: %v", want, err)
		}
	}
	if err := new(word).refusal("app", twoSubtopologies().layout); err != nil {
		t.Error(err)
	}
}
