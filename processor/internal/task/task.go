package task

import (
	"fmt"

	"github.com/millrace/millrace/processor/internal/graph"
	"github.com/millrace/millrace/state"
)

// ID names a task as Kafka Streams does: <sub-topology>_<partition>.
type ID struct {
	Subtopology int
	Partition   int32
}

func (id ID) String() string { return fmt.Sprintf("%d_%d", id.Subtopology, id.Partition) }

// Config is everything a task is made of. It is not changed afterwards.
type Config struct {
	ID            ID
	ApplicationID string
	Version       string // of the application, for dead letters; may be empty
	Subtopology   *graph.Subtopology
	Stores        *state.Stores // nil if the sub-topology has no store
	Inputs        []Input       // one for each of Subtopology.Sources, in that order
	Tasks         int32         // how many tasks the sub-topology has
	// Partitions counts the partitions of every topic the task writes to.
	Partitions map[string]int32
	// Partition is the Java-identical partitioner.
	Partition func(key []byte, n int32) int32
	// Skip lists records that failed in an aborted attempt and could not be taken
	// back. They go straight to the error policy.
	Skip []Poison
	// Careful is for how many records a savepoint is set before each: a record
	// that fails is then taken back in place. See CarefulRecords.
	Careful int
	// Limits say what the topics take that are written to; those that are not
	// in it take anything. Whoever owns the task may change what they say.
	Limits map[string]*graph.Limits
	// Run names the bounded run; empty for a live task. A bounded task ends
	// where its inputs say, and LogicalNow (ms since epoch) stands for the wall
	// clock in it.
	Run        string
	LogicalNow int64
	// MaxIdle is how long a live task with several inputs waits for one that is
	// empty before it goes on without it: negative not at all; 0 for what is
	// known to be on the broker; above 0 so many ms more. Kafka Streams'
	// max.task.idle.ms.
	MaxIdle int64
	Planted Planted // for tests only
}

// An Input says where a task takes up one of its source partitions.
type Input struct {
	Topic     string
	Partition int32
	Offset    int64 // the next to process
	Watermark int64 // restored, in ms; math.MinInt64 if there is none
	// Upstream is restored too: what the tasks that write a repartition topic
	// have said.
	Upstream []state.Upstream
	End      int64 // a bounded task stops before this offset
	Finished bool  // a bounded run that was at its end and fired everything
}

// A Task runs one sub-topology for one partition. It belongs to whoever made it
// or was handed it; nothing in it is safe for concurrent use.
//
// Always: outputs, state and positions of a task reflect exactly the records
// before its inputs' positions, each once. Prepare takes a commit of that and
// the task goes on; Committed says that Kafka has the oldest one.
type Task struct {
	cfg      Config
	env      *graph.Env
	context  graph.Context
	current  *input
	stage    stage       // of the current record
	before   uint64      // effects before it
	woke     bool        // it has ended the quiet of its input
	stamp    graph.Stamp // that it came with
	outbox   graph.Outbox
	inputs   []*input
	nodes    []node
	clocked  []int            // the nodes that take part in a sweep
	counters []graph.Counters // since the last Prepare, by NodeID

	processed int       // records since the last Prepare
	told      int64     // wall clock, ms, of the last renewal of idle leases
	renew     bool      // idle leases are due to be renewed by the next commit
	moved     bool      // an input position has moved since the last Prepare
	pending   []*Commit // prepared, oldest first
	ended     bool      // bounded: every input at its end and everything fired
	sealed    bool      // bounded: and prepared
	done      bool      // bounded: and committed

	savepoint savepoint
}

// New builds the nodes of the task over its stores. The inputs' queues start
// empty.
func New(cfg Config) (*Task, error) {
	if len(cfg.Inputs) != len(cfg.Subtopology.Sources) {
		return nil, fmt.Errorf("task %s: %d inputs for %d source topics", cfg.ID, len(cfg.Inputs), len(cfg.Subtopology.Sources))
	}
	if p := cfg.Subtopology.Policy; p.Topic != "" && cfg.Partitions[p.Topic] <= 0 {
		return nil, fmt.Errorf("task %s: dead-letter topic %q: the number of partitions is unknown", cfg.ID, p.Topic)
	}
	t := &Task{cfg: cfg, counters: make([]graph.Counters, cfg.Subtopology.NodeCount())}
	t.env = graph.NewEnv(cfg.Stores)
	t.env.Outbox, t.env.Counters, t.env.Context = &t.outbox, t.counters, &t.context
	t.env.Policy, t.env.Route = cfg.Subtopology.Policy, t.route
	t.env.RouteResult, t.env.Limits = t.routeResult, cfg.Limits
	t.env.Partition, t.env.Partitions = cfg.Partition, cfg.Partitions
	t.env.Task, t.env.Tasks, t.env.Run = cfg.ID.Partition, max(cfg.Tasks, cfg.ID.Partition+1), cfg.Run
	if err := t.instantiate(); err != nil {
		return nil, fmt.Errorf("task %s: %w", cfg.ID, err)
	}
	t.savepoint = newSavepoint(t)
	t.done = cfg.Run != ""
	for _, in := range t.inputs {
		t.done = t.done && in.Finished
	}
	t.ended, t.sealed = t.done, t.done
	return t, nil
}

// ID returns the task's name.
func (t *Task) ID() ID { return t.cfg.ID }

// Stores returns the task's stores, nil if it has none.
func (t *Task) Stores() *state.Stores { return t.cfg.Stores }

// Config returns what the task was made of, to build its successor from after
// an abort.
func (t *Task) Config() Config { return t.cfg }

// Close closes the stores. With flush, what was applied is made durable first,
// so that a restart has nothing to replay.
func (t *Task) Close(flush bool) error {
	if t.cfg.Stores == nil {
		return nil
	}
	if err := t.cfg.Stores.Close(flush); err != nil {
		return fmt.Errorf("task %s: close stores: %w", t.cfg.ID, err)
	}
	return nil
}
