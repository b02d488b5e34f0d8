package worker

import "fmt"

// A LifecycleState is where one of the worker's tasks stands between its
// assignment and its end. It says who may touch the task's state and whether
// there is a task that processes:
//
//	        assigned
//	           |
//	           v
//	       created
//	           | put in line for the restorer
//	           v
//	+----> restoring -------+   delivered in the middle of a search
//	|          |            |   for a record
//	|          | delivered  |
//	|          v            |
//	|       running <-------|-------+
//	|          |            |       | what it repeats is
//	|          | goes back  |       | committed
//	|          v            v       |
//	+------ aborted ----> replaying-+
//	 its       ^  begins    |
//	 state is  |  again     |
//	 read back +------------+
//	             goes back
//
//	each of them ----> closing
//
//	created    The group has given it to the worker; nothing is known of it.
//	restoring  It waits for the restorer or is with it, which brings its
//	           state up to date. Whoever else looks at it then looks at ID,
//	           Sub and Owner only.
//	running    It processes.
//	aborted    What it did since its last commit is thrown away: a record or a
//	           commit failed, its state is damaged, or it has brought up what
//	           was away. It begins again there or is restored, usually in the
//	           same turn of the loop.
//	replaying  It processes as in running, for a second time, until a commit
//	           has arrived; in a search for a record until it is where the
//	           search began.
//	closing    It is given up. Nothing follows.
//
// Always, between two turns: the lease has a task in running and replaying and in
// no other state, and only then its partitions are read.
//
// A standby would stand beside created: assigned as one, it follows its
// changelogs until it is put in line.
//
// Rejected: to let an aborted task count as created, for neither processes. But
// what follows on created is always a restore, and what follows on aborted is
// usually none: its inputs and stores are where its last commit left them.
type LifecycleState uint8

// The states of a task.
const (
	taskCreated LifecycleState = iota
	taskRestoring
	taskRunning
	taskAborted
	taskReplaying
	taskClosing
)

func (s LifecycleState) String() string {
	switch s {
	case taskCreated:
		return "created"
	case taskRestoring:
		return "restoring"
	case taskRunning:
		return "running"
	case taskAborted:
		return "aborted"
	case taskReplaying:
		return "replaying"
	case taskClosing:
		return "closing"
	}
	return fmt.Sprintf("LifecycleState(%d)", uint8(s))
}

// mayBecome reports whether the drawing has an edge from one state to another.
func (s LifecycleState) mayBecome(to LifecycleState) bool {
	switch to {
	case taskRestoring:
		return s == taskCreated || s == taskAborted
	case taskRunning:
		return s == taskRestoring || s == taskReplaying
	case taskAborted:
		return s == taskRunning || s == taskReplaying
	case taskReplaying:
		return s == taskRestoring || s == taskAborted
	case taskClosing:
		return s != taskClosing
	}
	return false
}

// processes reports whether a task in this state has records to process, and its
// stores and inputs are the worker's.
func (s LifecycleState) processes() bool { return s == taskRunning || s == taskReplaying }

// transition moves the task to another state. Nothing else changes it. An edge
// that is not in the drawing is a bug of the worker, and its error ends the
// worker: what is in Kafka is right, and the next start goes on from there.
func (l *lease) transition(to LifecycleState) error {
	from := l.state
	if !from.mayBecome(to) {
		return fmt.Errorf("task %s cannot go from %v to %v: this is a bug of Millrace", l.ID, from, to)
	}
	l.state = to
	if l.moved != nil {
		l.moved(l.ID, from, to)
	}
	return nil
}
