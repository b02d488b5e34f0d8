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
	// Exact makes careful records answer for what they leave in the state: see
	// state.Stores.Check.
	Exact bool
	// Limits say what the topics take that are written to; those that are not
	// in it take anything. Whoever owns the task may change what they say.
	Limits map[string]*graph.Limits
	// Run names the bounded run; empty for a live task. A bounded task ends
	// where its inputs say, and LogicalNow (ms since epoch) stands for the wall
	// clock in it.
	Run        string
	LogicalNow int64
	// Wall is the wall clock (ms since epoch) as the task begins; 0 if it is not
	// known. What is sent before the first Step is bounded by it.
	Wall int64
	// MaxIdle is how long a live task with several inputs waits for one that is
	// empty before it goes on without it: negative not at all; 0 for what is
	// known to be on the broker; above 0 so many ms more. Kafka Streams'
	// max.task.idle.ms.
	MaxIdle int64
	// CatchUp brings up stores that were away; nil for a task as usual. The
	// Subtopology is then what is left of it by graph.Subtopology.Around.
	CatchUp *CatchUp
	Planted Planted // for tests only
}

// An Input says where a task takes up one of its source partitions.
type Input struct {
	Topic     string
	TopicID   string // as hex text; empty if it is not known
	Partition int32
	Offset    int64  // the next to process
	Watermark int64  // restored, in ms; math.MinInt64 if there is none
	Highest   int64  // restored, in ms: the highest time believed; math.MinInt64 if it is not known
	Notes     []Note // what the offset remembers of internal topics
	Failed    Failed // restored: what failed while one of these was away
	// Upstream is restored too: what the tasks that write a repartition topic
	// have said.
	Upstream []state.Upstream
	Formats  []FormatNote // restored: Meta.Formats
	End      int64        // a bounded task stops before this offset
	Finished bool         // a bounded run that was at its end and fired everything
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
	at       *graph.Node // the innermost node that runs, of those that are watched
	stage    stage       // of the current record
	before   uint64      // effects before it
	woke     bool        // it has ended the quiet of its input
	stamp    graph.Stamp // that it came with
	outbox   graph.Outbox
	inputs   []*input
	nodes    []node
	clocked  []int            // the nodes that take part in a sweep
	holders  []int            // the nodes that hold results back, those before others first
	counters []graph.Counters // since the last Prepare, by NodeID

	processed int       // records since the last Prepare
	elapsed   int64     // see Elapse
	told      int64     // of elapsed: when readers were last told again; see renewTime
	renew     bool      // what readers were told is due to be said again by the next commit
	moved     bool      // there is news of an input since the last Prepare: its position, or what it reads
	pending   []*Commit // prepared, oldest first
	ended     bool      // bounded: every input at its end and everything fired
	sealed    bool      // bounded: and prepared
	done      bool      // bounded: and committed

	savepoint savepoint
}

// New builds the nodes of the task over its stores and brings the operators to
// the restored time. The inputs' queues start empty.
func New(cfg Config) (*Task, error) {
	if len(cfg.Inputs) != len(cfg.Subtopology.Sources) {
		return nil, fmt.Errorf("task %s: %d inputs for %d source topics", cfg.ID, len(cfg.Inputs), len(cfg.Subtopology.Sources))
	}
	if p := cfg.Subtopology.Policy; p.Topic != "" && cfg.Partitions[p.Topic] <= 0 {
		return nil, fmt.Errorf("task %s: dead-letter topic %q: the number of partitions is unknown", cfg.ID, p.Topic)
	}
	t := &Task{cfg: cfg, counters: make([]graph.Counters, cfg.Subtopology.NodeCount()), told: -forgottenRenewal}
	t.env = graph.NewEnv(cfg.Stores)
	t.env.Outbox, t.env.Counters, t.env.Context = &t.outbox, t.counters, &t.context
	t.env.Policy, t.env.Route = cfg.Subtopology.Policy, t.route
	t.env.RouteResult, t.env.Limits, t.env.Wall = t.routeResult, cfg.Limits, cfg.Wall
	t.env.Release = t.release
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
	if t.done {
		return t, nil
	}
	return t, t.begin()
}

// begin tells the operators the restored time before the first record comes, so
// that they do with it what they would have done without the restart: what is
// due at once leaves at once, and sinks that tell the time know it.
func (t *Task) begin() (err error) {
	defer t.caught(&err)
	return t.sweep(false)
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
