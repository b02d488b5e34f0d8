package group

import (
	"reflect"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/millrace/millrace/processor/internal/assign"
)

func withStores(stores ...[]string) *balancer {
	b := twoSubtopologies()
	b.layout.Stores = stores
	return b
}

// What a member tells is what is read, and what others tell in other words is
// what is missing.
func TestProfileIsReadBack(t *testing.T) {
	b := withStores([]string{"x", "y"}, nil)
	var meta kmsg.ConsumerMemberMetadata
	if err := meta.ReadFrom(b.JoinGroupMetadata(nil, nil, 1)); err != nil {
		t.Fatal(err)
	}
	want := profile{
		topics: []string{"a", "b", "c"}, counts: map[string][]int32{"a": {2}, "b": {2}, "c": {2}},
		subs: []knownSub{{Topics: []string{"a", "b"}, Stores: []string{"x", "y"}}, {Topics: []string{"c"}, Stores: []string{}}},
	}
	if got := readProfile(&meta); !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	told := kmsg.NewConsumerMemberAssignment()
	for _, data := range [][]byte{nil, {}, []byte("?"), []byte(`{"of":"another version"}`), []byte("null")} {
		told.UserData = data
		meta.UserData = told.AppendTo(nil)
		if got := readProfile(&meta); got.subs != nil {
			t.Errorf("of %q it reads %+v", data, got.subs)
		}
	}
}

// A task goes to those that know the stores of its state, as far as that is known
// and as long as there are any.
func TestTasksGoToWhoKnowsTheirStores(t *testing.T) {
	before, after := withStores([]string{"x"}, nil), withStores([]string{"x", "y"}, nil)
	of := func(names ...string) func(assign.Task) []string {
		return func(t assign.Task) []string {
			if t.Subtopology == 0 {
				return names
			}
			return nil
		}
	}
	for name, tt := range map[string]struct {
		needs func(assign.Task) []string
		other kmsg.JoinGroupResponseMember
		want  [2]int // tasks of a and b for m1, which knows both stores, and m2
	}{
		"unknown":                    {nil, joined(before, "m2", 1, nil), [2]int{1, 1}},
		"no stores":                  {of(), joined(before, "m2", 1, nil), [2]int{1, 1}},
		"a store that both know":     {of("x"), joined(before, "m2", 1, nil), [2]int{1, 1}},
		"a store that one knows":     {of("x", "y"), joined(before, "m2", 1, nil), [2]int{2, 0}},
		"a store that nobody knows":  {of("gone"), joined(before, "m2", 1, nil), [2]int{1, 1}},
		"one that does not tell":     {of("x", "y"), silent(before, "m2", 1, nil), [2]int{1, 1}},
		"one that has them already":  {of("x", "y"), joined(before, "m2", 1, parts{"a": {0}, "b": {0}}), [2]int{1, 0}},
		"a store it has elsewhere":   {of("x", "y"), joined(withStores([]string{"x"}, []string{"y"}), "m2", 1, nil), [2]int{2, 0}},
		"more stores than are there": {of("x"), joined(withStores([]string{"w", "x"}, nil), "m2", 1, nil), [2]int{1, 1}},
	} {
		t.Run(name, func(t *testing.T) {
			after.needs = func([]seat) func(assign.Task) []string { return tt.needs }
			got := balance(t, after, joined(after, "m1", 1, nil), tt.other)
			if n := [2]int{len(got["m1"]["a"]), len(got["m2"]["a"])}; n != tt.want {
				t.Errorf("got %v, want %v: %v", n, tt.want, got)
			}
			made := 0 // up for by m2, where only m1 may run those of a and b
			if tt.want == [2]int{1, 1} {
				made = 1
			}
			if len(got["m1"]["c"])+len(got["m2"]["c"]) != 2 || len(got["m1"]["c"]) != made {
				t.Errorf("the tasks without state: %v", got)
			}
		})
	}
}
