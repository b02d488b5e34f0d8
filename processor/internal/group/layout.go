package group

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/millrace/millrace/processor/internal/assign"
)

// A Layout is the set of tasks of an application: for each sub-topology its
// source topics, how many partitions they have, and the stores it keeps. It never
// changes once the group is joined, and may be read by anyone.
type Layout struct {
	Sources    [][]string
	Partitions []int32
	Stores     [][]string // names, sorted
}

// tasks lists every task.
func (l *Layout) tasks() (all []assign.Task) {
	for s, n := range l.Partitions {
		for p := range n {
			all = append(all, assign.Task{Subtopology: s, Partition: p})
		}
	}
	return all
}

// Covered lists the tasks all of whose source partitions are in parts.
func (l *Layout) Covered(parts map[string][]int32) (all []assign.Task) {
	for _, t := range l.tasks() {
		if covers(parts, l.Sources[t.Subtopology], t.Partition) {
			all = append(all, t)
		}
	}
	return all
}

// touched lists the tasks of which any source partition is in parts.
func (l *Layout) touched(parts map[string][]int32) (all []assign.Task) {
	for _, t := range l.tasks() {
		if Overlap(parts, l.Sources[t.Subtopology], t.Partition) {
			all = append(all, t)
		}
	}
	return all
}

// topics lists all source topics, sorted.
func (l *Layout) topics() []string {
	all := slices.Concat(l.Sources...)
	slices.Sort(all)
	return all
}

// deal assigns every task to one of the members that fit it: those that all fit
// are balanced over all, those of added partitions over the members that were
// started since, those with a new store over the members that have it. needs
// says which stores the state of a task has; nil is unknown.
func (l *Layout) deal(seats []seat, needs func(assign.Task) []string) map[string][]assign.Task {
	circles, tasks := map[string][]assign.Member{}, map[string][]assign.Task{}
	claims := map[string]assign.Member{}
	for _, s := range seats {
		claims[s.id()] = s.claim(l)
	}
	for _, t := range l.tasks() {
		var circle []assign.Member
		var names strings.Builder
		for _, s := range l.circle(t, seats, needs) {
			circle = append(circle, claims[s.id()])
			names.WriteString(s.id() + " ")
		}
		name := names.String()
		circles[name], tasks[name] = circle, append(tasks[name], t)
	}
	dealt := map[string][]assign.Task{}
	for _, name := range inOrder(circles) {
		circle := circles[name]
		for i := range circle {
			circle[i].Load = len(dealt[circle[i].ID])
		}
		for id, given := range assign.Assign(tasks[name], circle) {
			dealt[id] = append(dealt[id], given...)
		}
	}
	return dealt
}

// inOrder lists the circles with the fewest members first: what only few may run
// is dealt before what can make up for it.
func inOrder(circles map[string][]assign.Member) []string {
	return slices.SortedFunc(maps.Keys(circles), func(a, b string) int {
		return cmp.Or(cmp.Compare(len(circles[a]), len(circles[b])), strings.Compare(a, b))
	})
}

// circle is who may run a task: of the members that know its partition those that
// know all stores of its state. Where nobody does any of them may: the state that
// is not known to anybody would else lie idle with its task.
func (l *Layout) circle(t assign.Task, seats []seat, needs func(assign.Task) []string) (able []seat) {
	sources := l.Sources[t.Subtopology]
	for _, s := range seats {
		if s.profile.knowsPartition(sources, t.Partition) {
			able = append(able, s)
		}
	}
	if needs == nil {
		return able
	}
	stores := needs(t)
	lacks := func(s seat) bool { return !s.profile.knowsStores(sources, stores) }
	if fit := slices.DeleteFunc(slices.Clone(able), lacks); len(fit) > 0 {
		return fit
	}
	return able
}

// contested are the tasks that several members say they run, none of them with a
// later generation than the others. They are given to nobody in this round, so
// that all claimants give them up first.
//
// Example: A is thrown out, B gets its task, and A joins again without having
// been told. A claims the task as freshly as B does. The client's own adjustment
// would then let it go from B to A without a revocation in between, and both
// would run it.
func (l *Layout) contested(members []assign.Member) map[assign.Task]bool {
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

// Everything lists all source partitions of the application, by topic.
func (l *Layout) Everything() map[string][]int32 {
	parts := map[string][]int32{}
	for s, topics := range l.Sources {
		for _, t := range topics {
			for p := range l.Partitions[s] {
				parts[t] = append(parts[t], p)
			}
		}
	}
	return parts
}
