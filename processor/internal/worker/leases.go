package worker

import (
	"cmp"
	"iter"
	"math"
	"slices"

	"github.com/millrace/millrace/processor/internal/broker"
	"github.com/millrace/millrace/processor/internal/commit"
	"github.com/millrace/millrace/processor/internal/task"
)

// leases are the tasks that a worker owns. What is asked of all of them together is
// asked here; those that do not process are left out, for their inputs and stores
// may be the restorer's for now.
type leases struct {
	all   []*lease // by task id
	first int      // see inTurn
}

// add takes a lease in that was just assigned.
func (s *leases) add(l *lease) {
	s.all = append(s.all, l)
	slices.SortFunc(s.all, func(a, b *lease) int { return compareIDs(a.ID, b.ID) })
}

func (s *leases) remove(l *lease) {
	s.all = slices.DeleteFunc(s.all, func(x *lease) bool { return x == l })
}

// compareIDs is the order of the worker's leases.
func compareIDs(a, b task.ID) int {
	return cmp.Or(cmp.Compare(a.Subtopology, b.Subtopology), cmp.Compare(a.Partition, b.Partition))
}

// has reports whether a task is the worker's.
func (s *leases) has(id task.ID) bool {
	return slices.ContainsFunc(s.all, func(l *lease) bool { return l.ID == id })
}

// of returns the lease that still runs the task of a commit; nil if it has been
// given another task since, or is not the worker's any more.
func (s *leases) of(p *commit.TaskCommit) *lease {
	i, found := slices.BinarySearchFunc(s.all, p.ID, func(l *lease, id task.ID) int { return compareIDs(l.ID, id) })
	if !found || s.all[i].task != p.Task {
		return nil
	}
	return s.all[i]
}

// each does something with some of the leases, which it may remove.
func (s *leases) each(which func(*lease) bool, do func(*lease) error) error {
	for _, l := range slices.Clone(s.all) {
		if which(l) {
			if err := do(l); err != nil {
				return err
			}
		}
	}
	return nil
}

// running yields the leases whose tasks process.
func (s *leases) running() iter.Seq[*lease] {
	return func(yield func(*lease) bool) {
		for _, l := range s.all {
			if l.state.processes() && !yield(l) {
				return
			}
		}
	}
}

// inTurn yields them too, and begins with another one each time.
func (s *leases) inTurn() iter.Seq[*lease] {
	return func(yield func(*lease) bool) {
		all := s.all
		s.first++
		for i := range all {
			if l := all[(s.first+i)%len(all)]; l.state.processes() && !yield(l) {
				return
			}
		}
	}
}

// finished reports whether a bounded run is over for all of them.
func (s *leases) finished() bool {
	return !slices.ContainsFunc(s.all, func(l *lease) bool { return !l.finished() })
}

// dirty reports whether there is something to commit.
func (s *leases) dirty() bool {
	for l := range s.running() {
		if l.task.Dirty() {
			return true
		}
	}
	return false
}

// weight counts the records and bytes since the last commit was prepared.
func (s *leases) weight() (records, bytes int) {
	for l := range s.running() {
		r, b := l.task.Weight()
		records, bytes = records+r, bytes+b
	}
	return records, bytes
}

// capped reports whether no more may be done before the next commit.
func (s *leases) capped(cfg *Config) bool {
	records, bytes := s.weight()
	return records >= cfg.CommitRecords || bytes >= cfg.CommitBytes
}

// careful is for how many records the least careful task is: what a failure made of
// them has passed for one that had records since.
func (s *leases) careful() int {
	least, running := task.CarefulRecords, false
	for l := range s.running() {
		least, running = min(least, l.task.Careful()), true
	}
	if !running {
		return 0
	}
	return least
}

// waitingBytes is the memory of everything that was fetched and waits.
func (s *leases) waitingBytes() (n int) {
	for l := range s.running() {
		for i := range l.Inputs {
			n += l.waitingBytes(i)
		}
	}
	return n
}

// inputs counts the partitions that are read.
func (s *leases) inputs() (n int) {
	for l := range s.running() {
		n += len(l.Inputs)
	}
	return n
}

// feed hands the tasks what they may process in a turn.
func (s *leases) feed(records int, slabs *messageSlabs) error {
	for l := range s.running() {
		if err := l.feed(records, slabs); err != nil {
			return err
		}
	}
	return nil
}

// align tells the tasks what time it is, and how far the slowest of the worker's
// aligned partitions is that can go on, so that the others do not run ahead of it
// by more than their sources allow.
func (s *leases) align(now task.Moment) {
	lowest := int64(math.MaxInt64)
	for l := range s.running() {
		l.task.Elapse(now.Elapsed)
		lowest = min(lowest, l.task.Lowest(now.Wall))
	}
	for l := range s.running() {
		l.task.Align(lowest)
	}
}

// quiet lists the partitions whose end is worth asking for, and where their tasks
// are in them.
func (s *leases) quiet() (parts []broker.TopicPartition, stood []int64) {
	for l := range s.running() {
		for i := range l.Inputs {
			if l.task.WantsEnd(i) {
				parts = append(parts, l.Inputs[i].TopicPartition)
				stood = append(stood, l.task.Position(i))
			}
		}
	}
	return parts, stood
}
