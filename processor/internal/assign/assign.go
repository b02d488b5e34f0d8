// Package assign decides which member of a group runs which task. It is a pure
// function: the same members and tasks give the same answer on every machine,
// and nothing in it knows Kafka.
package assign

import (
	"cmp"
	"slices"
	"strings"
)

// A Task is the unit that is assigned: one sub-topology for one partition. All
// source partitions of a task go to the same member.
type Task struct {
	Subtopology int
	Partition   int32
}

// Compare orders tasks by sub-topology, then by partition.
func (t Task) Compare(o Task) int {
	return cmp.Or(cmp.Compare(t.Subtopology, o.Subtopology), cmp.Compare(t.Partition, o.Partition))
}

// A Member is one worker of the group.
type Member struct {
	ID string
	// Owned are the tasks the member says it runs now. A claim may be stale:
	// the member may have missed that a task was given to another.
	Owned []Task
	// Generation is the last generation in which the member was assigned
	// anything. Of two claims to one task the later generation is right.
	Generation int32
	// Load is how many other tasks the member has been given already.
	Load int
}

// Assign gives every task to exactly one member and returns the tasks of each
// member by its ID, sorted. Members end up with the same number of tasks, give
// or take one, their loads counted as far as the tasks can make up for them; with
// no members the result is empty.
//
// A member keeps what it owns as far as the balance allows, so the number of
// tasks that move is the lowest possible one.
func Assign(tasks []Task, members []Member) map[string][]Task {
	if len(members) == 0 {
		return nil
	}
	p := newPlan(tasks, members)
	p.setQuotas()
	p.keepOwned()
	p.spreadRest()
	out := make(map[string][]Task, len(p.shares))
	for _, s := range p.shares {
		slices.SortFunc(s.tasks, Task.Compare)
		out[s.id] = s.tasks
	}
	return out
}

// A share is what one member gets.
type share struct {
	id    string
	owned []Task // claims that hold, sorted
	tasks []Task
	quota int
	load  int
}

// A plan is an assignment being made. tasks and shares are sorted, so that the
// order in which the caller lists them does not matter.
type plan struct {
	tasks  []Task
	shares []*share
	given  map[Task]bool
}

func newPlan(tasks []Task, members []Member) *plan {
	p := &plan{tasks: slices.Clone(tasks), given: make(map[Task]bool, len(tasks))}
	slices.SortFunc(p.tasks, Task.Compare)
	p.tasks = slices.Compact(p.tasks)
	exists := make(map[Task]bool, len(p.tasks))
	for _, t := range p.tasks {
		exists[t] = true
	}
	members = slices.Clone(members)
	slices.SortFunc(members, func(a, b Member) int { return strings.Compare(a.ID, b.ID) })
	owner := rightfulOwners(members)
	for i, m := range members {
		s := &share{id: m.ID, load: m.Load}
		for _, t := range m.Owned {
			if exists[t] && owner[t] == i {
				s.owned = append(s.owned, t)
			}
		}
		slices.SortFunc(s.owned, Task.Compare)
		s.owned = slices.Compact(s.owned)
		p.shares = append(p.shares, s)
	}
	return p
}

// rightfulOwners settles double claims: the latest generation wins, then the
// lowest member ID.
func rightfulOwners(members []Member) map[Task]int {
	owner := map[Task]int{}
	for i, m := range members {
		for _, t := range m.Owned {
			if j, claimed := owner[t]; !claimed || m.Generation > members[j].Generation {
				owner[t] = i
			}
		}
	}
	return owner
}

// setQuotas gives each place to the member with the fewest tasks, of equal ones to
// that which owns most beyond its places, for each of its own saves a move.
func (p *plan) setQuotas() {
	for range p.tasks {
		slices.MinFunc(p.shares, func(a, b *share) int {
			return cmp.Or(cmp.Compare(a.load+a.quota, b.load+b.quota), cmp.Compare(len(b.owned)-b.quota, len(a.owned)-a.quota))
		}).quota++
	}
}

func (p *plan) keepOwned() {
	for _, s := range p.shares {
		for _, t := range s.spread() {
			p.give(s, t)
		}
	}
}

// spread picks which of its tasks a member keeps, taking from its
// sub-topologies in turn, so that no member ends up with all the heavy ones.
func (s *share) spread() []Task {
	if len(s.owned) <= s.quota {
		return s.owned
	}
	rank := make(map[Task]int, len(s.owned))
	seen := map[int]int{}
	for _, t := range s.owned {
		rank[t] = seen[t.Subtopology]
		seen[t.Subtopology]++
	}
	kept := slices.Clone(s.owned)
	slices.SortStableFunc(kept, func(a, b Task) int { return cmp.Compare(rank[a], rank[b]) })
	return kept[:s.quota]
}

// spreadRest deals what nobody keeps to the members in turn.
func (p *plan) spreadRest() {
	next := 0
	for _, t := range p.tasks {
		if p.given[t] {
			continue
		}
		for len(p.shares[next].tasks) >= p.shares[next].quota {
			next = (next + 1) % len(p.shares)
		}
		p.give(p.shares[next], t)
		next = (next + 1) % len(p.shares)
	}
}

func (p *plan) give(s *share, t Task) {
	s.tasks = append(s.tasks, t)
	p.given[t] = true
}
