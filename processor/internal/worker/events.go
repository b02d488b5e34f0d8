package worker

import (
	"time"

	"github.com/millrace/millrace/processor/internal/graph"
	"github.com/millrace/millrace/processor/internal/restore"
	"github.com/millrace/millrace/processor/internal/task"
	"github.com/millrace/millrace/state"
)

// Events tell the world above what happens in a worker; they are the only seam
// for logs, metrics and tests. Any of them may be nil. But for Answered they are called by
// the worker's own goroutine and hold it up, so they must be quick and must not
// call back.
type Events struct {
	// Seated: the group has said which tasks are ours, perhaps none; TaskAssigned
	// was called for those that are new. coming is how many more will be ours,
	// once their owners have given them up.
	Seated func(coming int)
	// Unseated: the seat in the group is lost, and asked for again.
	Unseated func()
	// Answered says whether the broker that keeps the group has answered the last
	// request about the seat. Unlike the others it is called by the group client,
	// for the worker may be waiting for the brokers then; only on a change, and
	// true is what holds at first.
	Answered func(ok bool)
	// TaskAssigned: the task is ours; its state is going to be restored.
	TaskAssigned func(id task.ID)
	// TaskMoved: the task has gone from one state to another.
	TaskMoved func(id task.ID, from, to LifecycleState)
	// TaskRestored: the task processes from now on.
	TaskRestored func(id task.ID, r Restoration)
	// TaskRevoked: the task is closed and may run elsewhere.
	TaskRevoked func(id task.ID)
	// Counted gives what each node of a task, by NodeID, has seen since the
	// last commit, just after it was committed. The slice is only lent.
	Counted func(id task.ID, counters []graph.Counters)
	// Committed: Kafka has it.
	Committed func(c Committed)
	// Times says where the time of each running task stands: all tasks of the
	// worker, once per second at most. The slice belongs to the receiver.
	Times func(times []task.TimeInfo)
	// Aborted: an interval's work was undone and is going to be repeated.
	Aborted func(reason error)
	// Repeating: so many commits in a row were undone, none of them in the search for
	// a record; more than a few, and the last word until something is committed.
	Repeating func(undone int)
	// Unknown: it could not be learned whether a commit succeeded; the worker
	// finds out from Kafka.
	Unknown func(reason error)
	// Poisoned: a record failed after it had effects, and its task goes back to
	// the last commit. Those that are taken back in place are counted only.
	Poisoned func(p task.Poison)
	// Warning: something an operator should know, and that does not stop the
	// worker.
	Warning func(err error)
}

// A Restoration says what it took to bring a task's state up to date.
type Restoration = restore.Restoration

// Committed describes one commit.
type Committed struct {
	Tasks    int
	Records  int // processed
	Outputs  int
	Entries  int // changelog records
	Offsets  []state.Input
	Duration time.Duration
}

func (e *Events) seated(coming int) {
	if e.Seated != nil {
		e.Seated(coming)
	}
}

func (e *Events) unseated() {
	if e.Unseated != nil {
		e.Unseated()
	}
}

func (e *Events) answered(ok bool) {
	if e.Answered != nil {
		e.Answered(ok)
	}
}

func (e *Events) taskAssigned(id task.ID) {
	if e.TaskAssigned != nil {
		e.TaskAssigned(id)
	}
}

func (e *Events) taskRestored(id task.ID, r Restoration) {
	if e.TaskRestored != nil {
		e.TaskRestored(id, r)
	}
}

func (e *Events) taskRevoked(id task.ID) {
	if e.TaskRevoked != nil {
		e.TaskRevoked(id)
	}
}

func (e *Events) counted(id task.ID, c []graph.Counters) {
	if e.Counted != nil {
		e.Counted(id, c)
	}
}

func (e *Events) committed(c Committed) {
	if e.Committed != nil {
		e.Committed(c)
	}
}

func (e *Events) times(t []task.TimeInfo) {
	if e.Times != nil {
		e.Times(t)
	}
}

func (e *Events) aborted(reason error) {
	if e.Aborted != nil {
		e.Aborted(reason)
	}
}

func (e *Events) repeating(undone int) {
	if e.Repeating != nil {
		e.Repeating(undone)
	}
}

func (e *Events) unknown(reason error) {
	if e.Unknown != nil {
		e.Unknown(reason)
	}
}

func (e *Events) poisoned(p task.Poison) {
	if e.Poisoned != nil {
		e.Poisoned(p)
	}
}

func (e *Events) warning(err error) {
	if e.Warning != nil {
		e.Warning(err)
	}
}
