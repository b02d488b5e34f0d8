package worker

import (
	"iter"

	"github.com/millrace/millrace/processor/internal/graph"
	"github.com/millrace/millrace/processor/internal/group"
	"github.com/millrace/millrace/processor/internal/restore"
	"github.com/millrace/millrace/processor/internal/task"
	"github.com/millrace/millrace/processor/internal/topics"
)

// A lease is one task this worker owns, from its assignment until it is revoked
// or lost. It belongs to the worker's goroutine. Its state is with the restorer for
// a time; then the worker looks at ID, Sub and Owner only, which never change.
//
// Always: the stores reflect what Kafka has committed and nothing else;
// everything newer is in the task and its overlay, and is gone after drop.
type lease struct {
	restore.TaskState            // with the restorer while task is nil
	task              *task.Task // nil while the state is being restored
	queues            []queue    // one for each input

	careful  int           // for how many records the next task is; see task.CarefulRecords
	exact    bool          // so is it; see task.Config
	failed   graph.Origin  // the last record that made the task go back
	skip     []task.Poison // records that failed and could not be taken back
	failures int           // of records since the last commit
	limit    int           // if set, commit after so many records, until all inputs are past until
	until    []int64
	mended   int // see Worker.mend
}

func newLease(id task.ID, sub *graph.Subtopology, owner group.Identity) *lease {
	return &lease{TaskState: restore.NewTaskState(id, sub, owner), queues: make([]queue, len(sub.Sources))}
}

// setLimits tells the stores what their changelogs take.
func (l *lease) setLimits(c *topics.Catalog, applicationID string) {
	for i, topic := range l.Changelogs(applicationID) {
		l.Stores.SetLimit(l.Sub.Stores[i].Name, c.LargestEntry(topic))
	}
}

// running yields the leases whose state is restored: the others' inputs and
// stores are the restorer's for now.
func (w *Worker) running() iter.Seq[*lease] {
	return func(yield func(*lease) bool) {
		for _, l := range w.leases {
			if l.task != nil && !yield(l) {
				return
			}
		}
	}
}

// inTurn yields them too, and begins with another one each time.
func (w *Worker) inTurn() iter.Seq[*lease] {
	return func(yield func(*lease) bool) {
		leases := w.leases
		w.first++
		for i := range leases {
			if l := leases[(w.first+i)%len(leases)]; l.task != nil && !yield(l) {
				return
			}
		}
	}
}

// drop throws away everything that is not committed.
func (l *lease) drop(keepOverlay bool) {
	if l.Stores != nil && !keepOverlay {
		l.Stores.Discard()
	}
	if l.task != nil {
		l.careful, l.exact = l.task.Careful(), l.task.Exact()
		l.task.Aborted()
	}
	l.task = nil
	for i := range l.Inputs {
		l.queues[i].rewind(l.Inputs[i].Offset)
	}
}

// finished says that a bounded run is over for this task.
func (l *lease) finished() bool { return l.task != nil && l.task.Finished() }

// settle takes note of a commit that Kafka has.
func (l *lease) settle(c *task.Commit) {
	for i, o := range c.Reached {
		l.Inputs[i].Stand(o)
	}
	for i := range l.Inputs {
		l.Inputs[i].Failed, l.Inputs[i].Formats = c.Failed[i], c.Formats[i]
	}
	l.failures, l.mended = 0, 0
	l.relax()
}
