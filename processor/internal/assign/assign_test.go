package assign

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
)

func grid(subtopologies int, partitions int32) (all []Task) {
	for s := range subtopologies {
		for p := range partitions {
			all = append(all, Task{s, p})
		}
	}
	return all
}

func TestAssign(t *testing.T) {
	tests := []struct {
		name    string
		tasks   []Task
		members []Member
		want    map[string][]Task
	}{
		{"nobody", grid(1, 2), nil, nil},
		{"alone", grid(1, 2), []Member{{ID: "a"}}, map[string][]Task{"a": {{0, 0}, {0, 1}}}},
		{"no tasks", nil, []Member{{ID: "a"}}, map[string][]Task{"a": nil}},
		{"dealt in turn", grid(1, 3), []Member{{ID: "b"}, {ID: "a"}}, map[string][]Task{"a": {{0, 0}, {0, 2}}, "b": {{0, 1}}}},
		{"kept", grid(1, 4), []Member{{ID: "a", Owned: []Task{{0, 3}, {0, 2}}}, {ID: "b"}},
			map[string][]Task{"a": {{0, 2}, {0, 3}}, "b": {{0, 0}, {0, 1}}}},
		{"one place above the average goes to whom it saves a move", grid(1, 3), []Member{{ID: "a"}, {ID: "b", Owned: []Task{{0, 1}, {0, 2}}}},
			map[string][]Task{"a": {{0, 0}}, "b": {{0, 1}, {0, 2}}}},
		{"the later claim is right", grid(1, 2), []Member{{ID: "a", Owned: []Task{{0, 0}}, Generation: 3}, {ID: "b", Owned: []Task{{0, 0}}, Generation: 4}},
			map[string][]Task{"a": {{0, 1}}, "b": {{0, 0}}}},
		{"claims to what is gone", grid(1, 1), []Member{{ID: "a", Owned: []Task{{7, 7}}}, {ID: "b", Owned: []Task{{0, 0}}}},
			map[string][]Task{"a": nil, "b": {{0, 0}}}},
		{"sub-topologies stay spread", grid(2, 2), []Member{{ID: "a", Owned: grid(2, 2)}, {ID: "b"}},
			map[string][]Task{"a": {{0, 0}, {1, 0}}, "b": {{0, 1}, {1, 1}}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := Assign(tt.tasks, tt.members); !reflect.DeepEqual(got, tt.want) {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}

// cluster makes a random group in which some members claim tasks, some of them
// the same ones.
func cluster(r *rand.Rand) ([]Task, []Member) {
	tasks := grid(1+r.IntN(3), int32(1+r.IntN(12)))
	members := make([]Member, 1+r.IntN(7))
	for i := range members {
		members[i] = Member{ID: fmt.Sprintf("m%02d", i), Generation: int32(r.IntN(3))}
		for _, task := range tasks {
			if r.IntN(4) == 0 {
				members[i].Owned = append(members[i].Owned, task)
			}
		}
	}
	return tasks, members
}

// Every task has one owner, the load differs by one at most, and no fewer
// tasks can stay where they are.
func TestProperties(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 5000 {
		tasks, members := cluster(r)
		got := Assign(tasks, members)
		checkOnce(t, tasks, members, got)
		checkBalance(t, got)
		if moved, least := moves(tasks, members, got), leastMoves(tasks, members); moved != least {
			t.Fatalf("%d tasks moved where %d must: members %+v, got %v", moved, least, members, got)
		}
		checkOrder(t, r, tasks, members, got)
	}
}

func checkOnce(t *testing.T, tasks []Task, members []Member, got map[string][]Task) {
	t.Helper()
	var all []Task
	for _, m := range members {
		all = append(all, got[m.ID]...)
	}
	slices.SortFunc(all, Task.Compare)
	if len(got) != len(members) || !slices.Equal(all, tasks) {
		t.Fatalf("tasks %v were assigned as %v", tasks, got)
	}
}

func checkBalance(t *testing.T, got map[string][]Task) {
	t.Helper()
	low, high := 1<<30, 0
	for _, ts := range got {
		low, high = min(low, len(ts)), max(high, len(ts))
	}
	if high-low > 1 {
		t.Fatalf("members have between %d and %d tasks: %v", low, high, got)
	}
}

func checkOrder(t *testing.T, r *rand.Rand, tasks []Task, members []Member, want map[string][]Task) {
	t.Helper()
	r.Shuffle(len(tasks), func(i, j int) { tasks[i], tasks[j] = tasks[j], tasks[i] })
	r.Shuffle(len(members), func(i, j int) { members[i], members[j] = members[j], members[i] })
	if got := Assign(tasks, members); !reflect.DeepEqual(got, want) {
		t.Fatalf("the order of the arguments matters: %v and %v", want, got)
	}
}

// A second round changes nothing: the group comes to rest.
func TestStable(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 1000 {
		tasks, members := cluster(r)
		first := Assign(tasks, members)
		for i := range members {
			members[i].Owned, members[i].Generation = first[members[i].ID], 9
		}
		if again := Assign(tasks, members); !reflect.DeepEqual(again, first) {
			t.Fatalf("%v became %v", first, again)
		}
	}
}

func moves(tasks []Task, members []Member, got map[string][]Task) (n int) {
	for i, owned := range holdings(tasks, members) {
		for _, task := range owned {
			if !slices.Contains(got[members[i].ID], task) {
				n++
			}
		}
	}
	return n
}

// leastMoves counts what must move by another way than Assign does: whatever
// lies above ceil moves, and of those at or above ceil only as many may stay
// there as the remainder allows.
func leastMoves(tasks []Task, members []Member) (n int) {
	low, extra := len(tasks)/len(members), len(tasks)%len(members)
	for _, owned := range holdings(tasks, members) {
		switch {
		case len(owned) <= low:
		case extra > 0:
			extra--
			n += len(owned) - low - 1
		default:
			n += len(owned) - low
		}
	}
	return n
}

// holdings are the claims that count: the latest generation, then the lowest
// ID.
func holdings(tasks []Task, members []Member) [][]Task {
	out := make([][]Task, len(members))
	for _, task := range tasks {
		best := -1
		for i, m := range members {
			if slices.Contains(m.Owned, task) && (best < 0 || m.Generation > members[best].Generation) {
				best = i
			}
		}
		if best >= 0 {
			out[best] = append(out[best], task)
		}
	}
	return out
}

// What members have been given already is made up for, as far as the tasks reach, and
// nothing moves for it that need not.
func TestAssignCountsLoads(t *testing.T) {
	tasks := []Task{{0, 0}, {0, 1}, {1, 0}, {1, 1}}
	for name, c := range map[string]struct {
		members []Member
		want    map[string]int
	}{
		"none":               {[]Member{{ID: "a"}, {ID: "b"}}, map[string]int{"a": 2, "b": 2}},
		"one":                {[]Member{{ID: "a", Load: 2}, {ID: "b"}}, map[string]int{"a": 1, "b": 3}},
		"more than there is": {[]Member{{ID: "a", Load: 9}, {ID: "b"}}, map[string]int{"a": 0, "b": 4}},
		"owned":              {[]Member{{ID: "a", Owned: tasks[:2]}, {ID: "b", Owned: tasks[2:], Load: 1}}, map[string]int{"a": 2, "b": 2}},
	} {
		got := Assign(tasks, c.members)
		for id, n := range c.want {
			if len(got[id]) != n {
				t.Errorf("%s: %v, want %v", name, got, c.want)
			}
		}
	}
}
