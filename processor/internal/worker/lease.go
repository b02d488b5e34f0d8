package worker

import (
	"github.com/millrace/millrace/processor/internal/graph"
	"github.com/millrace/millrace/processor/internal/group"
	"github.com/millrace/millrace/processor/internal/partitioner"
	"github.com/millrace/millrace/processor/internal/restore"
	"github.com/millrace/millrace/processor/internal/task"
	"github.com/millrace/millrace/processor/internal/topics"
)

// A lease is one task this worker owns, from its assignment until it is revoked
// or lost; LifecycleState says what happens to it in between. It belongs to the
// worker's goroutine. Its TaskState is with the restorer for a time; then the
// worker looks at ID, Sub and Owner only, which never change.
//
// Always: the stores reflect what Kafka has committed and nothing else;
// everything newer is in the task and its overlay, and is gone after drop.
type lease struct {
	restore.TaskState                // the restorer's while it restores
	state             LifecycleState // see transition
	moved             func(id task.ID, from, to LifecycleState)
	task              *task.Task // if its state is one that processes
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

// run gives the lease the task that processes from its positions on.
func (l *lease) run(t *task.Task) error {
	to := taskRunning
	if l.state == taskAborted || l.limit > 0 {
		to = taskReplaying
	}
	if err := l.transition(to); err != nil {
		return err
	}
	l.task = t
	return nil
}

// drop throws away everything that is not committed. The next task is as careful
// as this one.
func (l *lease) drop(keepOverlay bool) error {
	if err := l.transition(taskAborted); err != nil {
		return err
	}
	if l.Stores != nil && !keepOverlay {
		l.Stores.Discard()
	}
	l.careful, l.exact = l.task.Careful(), l.task.Exact()
	l.task.Aborted()
	l.task = nil
	for i := range l.Inputs {
		l.queues[i].rewind(l.Inputs[i].Offset)
	}
	return nil
}

// finished reports whether a bounded run is over for this task.
func (l *lease) finished() bool { return l.state.processes() && l.task.Finished() }

// settle takes note of a commit that Kafka has.
func (l *lease) settle(c *task.Commit) error {
	for i, o := range c.Reached {
		l.Inputs[i].Stand(o)
	}
	for i := range l.Inputs {
		l.Inputs[i].Failed, l.Inputs[i].Formats = c.Failed[i], c.Formats[i]
	}
	l.failures, l.mended = 0, 0
	l.relax()
	if l.state == taskReplaying && l.limit == 0 {
		return l.transition(taskRunning)
	}
	return nil
}

// taskConfig is what the lease's next task is made of, at the lease's positions.
func (l *lease) taskConfig(c *Config, catalog *topics.Catalog) task.Config {
	cfg := task.Config{
		ID: l.ID, ApplicationID: c.ApplicationID, Version: c.Version,
		Subtopology: l.Subtopology(), Stores: l.Stores, CatchUp: l.CatchUp(),
		Partitions: catalog.SinkPartitions(c.Graph), Partition: partitioner.New(),
		Tasks: catalog.Layout.Partitions[l.ID.Subtopology],
		Skip:  l.skip, Careful: l.careful, Exact: l.exact, Limits: catalog.Limits(), MaxIdle: c.maxIdle(), Run: c.run(), LogicalNow: l.LogicalNow,
		Wall:    c.Now().UnixMilli(),
		Planted: c.Faults.Planted,
	}
	for _, in := range l.Inputs {
		cfg.Inputs = append(cfg.Inputs, task.Input{
			Topic: in.Topic, TopicID: catalog.TopicID(in.Topic), Partition: in.Partition, Offset: in.Offset,
			Watermark: in.Watermark, Highest: in.Highest, Upstream: in.Upstream, Formats: in.Formats, Notes: in.Notes, Failed: in.Failed, End: in.End, Finished: in.Finished,
		})
	}
	return cfg
}
