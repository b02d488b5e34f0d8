package processortest

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/millrace/millrace/processor/internal/graph"
	"github.com/millrace/millrace/processor/internal/partitioner"
	"github.com/millrace/millrace/processor/internal/task"
	"github.com/millrace/millrace/state"
)

// stepLimit bounds one call of Step.
const stepLimit = 1000

// A driven task is what a worker keeps of one task: the task, what it has
// committed, and its changelogs.
type driven struct {
	d         *Driver
	id        task.ID
	sub       *graph.Subtopology
	tasks     int32 // of the sub-topology
	task      *task.Task
	committed []task.Input
	changelog [][]state.ChangelogRecord // by store
	skip      []task.Poison
	careful   int
	exact     bool
	counted   []graph.Counters
}

func newDriven(d *Driver, sub *graph.Subtopology, partition, tasks int32) *driven {
	x := &driven{d: d, tasks: tasks, id: task.ID{Subtopology: sub.ID, Partition: partition}, sub: sub}
	x.changelog = make([][]state.ChangelogRecord, len(sub.Stores))
	x.counted = make([]graph.Counters, sub.NodeCount())
	for _, topic := range sub.Sources {
		x.committed = append(x.committed, task.Input{Topic: topic, Partition: partition, Watermark: math.MinInt64, Highest: math.MinInt64})
	}
	return x
}

func (x *driven) reads(topic string) bool { return slices.Contains(x.sub.Sources, topic) }

// start opens the stores, restores what they miss and builds the task.
func (x *driven) start() error {
	stores, err := x.open()
	if err != nil {
		return err
	}
	return x.build(stores)
}

func (x *driven) open() (*state.Stores, error) {
	if len(x.sub.Stores) == 0 {
		return nil, nil
	}
	id := state.Identity{ApplicationID: applicationID, Task: x.id.String()}
	stores, err := x.d.storage.Open(x.id.String(), id, x.sub.Stores)
	if err != nil {
		return nil, err
	}
	for i, spec := range x.sub.Stores {
		next := stores.ChangelogNext(spec.Name)
		end := int64(len(x.changelog[i]))
		if err := stores.Restore(spec.Name, x.changelog[i][next:], end); err != nil {
			return nil, err
		}
	}
	if err := stores.FinishRestore(); err != nil {
		return nil, err
	}
	return stores, x.checkRestored(stores)
}

// checkRestored asserts that the state reflects exactly the committed offsets.
func (x *driven) checkRestored(stores *state.Stores) error {
	for _, spec := range x.sub.Stores {
		p, _ := stores.Position(spec.Name)
		for i, in := range p.Inputs {
			if in.Offset != x.committed[i].Offset {
				return fmt.Errorf("task %s: the restored store %q is at offset %d of topic %q, committed is %d", x.id, spec.Name, in.Offset, in.Topic, x.committed[i].Offset)
			}
			x.stand(i, in)
		}
	}
	return nil
}

// stand notes where an input is.
func (x *driven) stand(i int, in state.Input) {
	x.committed[i].Offset, x.committed[i].Watermark, x.committed[i].Highest, x.committed[i].Upstream = in.Offset, in.Watermark, in.Highest, in.Upstream
}

func (x *driven) build(stores *state.Stores) (err error) {
	x.task, err = task.New(task.Config{
		ID: x.id, ApplicationID: applicationID, Subtopology: x.sub, Stores: stores,
		Tasks: x.tasks, MaxIdle: -1,
		Inputs: slices.Clone(x.committed), Partitions: x.d.counts, Partition: partitioner.New(), Skip: x.skip, Careful: x.careful, Exact: x.exact,
		Limits: x.d.limits,
	})
	if err != nil {
		return err
	}
	return x.run()
}

// run processes everything in the log that the task has not seen. A record that
// fails after effects is answered as by a worker: abort, and replay carefully.
func (x *driven) run() error {
	for i, in := range x.committed {
		log := x.d.log[in.Topic][in.Partition]
		at := x.task.Position(i)
		if err := x.task.Enqueue(i, slices.Clone(log[at:]), int64(len(log))); err != nil {
			return err
		}
	}
	for {
		n, err := x.task.Step(x.d.now, stepLimit)
		if err != nil {
			return x.failed(err)
		}
		if n == 0 {
			return nil
		}
	}
}

func (x *driven) failed(err error) error {
	scope, poison := task.Classify(err)
	if scope != task.RecordScope {
		return err
	}
	if x.task.Careful() > 0 { // and it could not be taken back
		x.skip = append(x.skip, poison)
	}
	x.careful = task.CarefulRecords
	return x.abort()
}

func (x *driven) commit() error {
	if !x.task.Dirty() {
		return nil
	}
	c, err := x.task.Prepare()
	var unkept *state.EntryError
	if errors.As(err, &unkept) && !x.task.Exact() {
		return x.commitExactly()
	}
	if err != nil {
		return err
	}
	for _, out := range c.Outputs {
		x.d.deliver(out, x.id)
	}
	next := make([]int64, len(x.sub.Stores))
	for _, e := range c.Entries {
		x.changelog[e.Store] = append(x.changelog[e.Store], state.ChangelogRecord{Key: bytes.Clone(e.Key), Value: bytes.Clone(e.Value)})
	}
	for i := range next {
		next[i] = int64(len(x.changelog[i]))
	}
	for i, in := range c.Offsets {
		x.stand(i, in)
	}
	for i, c := range c.Counters {
		x.counted[i].Add(&c)
	}
	return x.task.Committed(next, 0)
}

// commitExactly goes back to the last commit, so that each record answers for what it
// leaves in the state, as a worker does.
func (x *driven) commitExactly() error {
	x.careful, x.exact = task.CarefulRecords, true
	if err := x.abort(); err != nil {
		return err
	}
	return x.commit()
}

func (x *driven) abort() error {
	x.task.Aborted()
	stores := x.task.Stores()
	if stores != nil {
		stores.Discard()
	}
	return x.build(stores)
}

func (x *driven) crash() error {
	if stores := x.task.Stores(); stores != nil {
		stores.Discard()
	}
	if err := x.task.Close(false); err != nil {
		return err
	}
	return x.start()
}

func (x *driven) loseState() error {
	if err := x.task.Close(false); err != nil {
		return err
	}
	if err := x.d.storage.Remove(x.id.String()); err != nil {
		return err
	}
	return x.start()
}
