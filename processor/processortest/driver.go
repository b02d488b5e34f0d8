package processortest

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/millrace/millrace/processor/internal/graph"
	"github.com/millrace/millrace/processor/internal/partitioner"
	"github.com/millrace/millrace/processor/stream"
	"github.com/millrace/millrace/state"
)

// applicationID is the application every driver runs.
const applicationID = "processortest"

// An Option tunes a Driver.
type Option func(*Driver)

// Partitions sets the number of partitions of every topic; the default is 1.
func Partitions(n int) Option { return func(d *Driver) { d.partitions = int32(n) } }

// WallClock sets the wall clock, which only bounds how far ahead a record's
// time may be. The default is far in the future, so that it never matters.
func WallClock(now time.Time) Option { return func(d *Driver) { d.now = now.UnixMilli() } }

// A Driver runs one topology in a test. It is not safe for concurrent use. Any
// failure of the application fails the test.
type Driver struct {
	t          testing.TB
	topology   *graph.Topology // under its application id
	described  string
	partitions int32            // of every topic that is not internal
	counts     map[string]int32 // partitions of the topics that are written
	now        int64
	storage    *state.Memory
	tasks      []*driven
	log        map[string][][]graph.Message // source topics, by partition
	written    map[string]*outputLog        // committed records of sink topics
	faults     *rand.Rand                   // nil: undisturbed
	limits     map[string]*graph.Limits     // of topics that do not take everything
}

// New builds the topology and starts its tasks. Build errors fail the test.
func New(t testing.TB, build func(*stream.Builder), opts ...Option) *Driver {
	t.Helper()
	b := stream.New(t.Name())
	build(b)
	topology, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	d := &Driver{t: t, described: topology.Describe(), topology: topology.Bind(applicationID), partitions: 1, now: math.MaxInt64, storage: state.NewMemory()}
	for _, opt := range opts {
		opt(d)
	}
	d.makeTopics()
	for _, sub := range d.topology.Subtopologies() {
		tasks := int32(len(d.log[sub.Sources[0]]))
		for p := range tasks {
			d.tasks = append(d.tasks, newDriven(d, sub, p, tasks))
		}
	}
	d.each((*driven).start)
	return d
}

// makeTopics makes the log of every topic that is read and written.
func (d *Driver) makeTopics() {
	d.log, d.written = map[string][][]graph.Message{}, map[string]*outputLog{}
	d.counts = map[string]int32{}
	for _, topic := range d.topology.SinkTopics() {
		d.written[topic] = &outputLog{}
		d.counts[topic] = d.partitions
	}
	for _, r := range d.topology.Repartitions() {
		delete(d.written, r.Topic)
		if r.Partitions > 0 {
			d.counts[r.Topic] = r.Partitions
		}
	}
	for _, topic := range d.topology.SourceTopics() {
		n, internal := d.counts[topic]
		if !internal {
			n = d.partitions
		}
		d.log[topic] = make([][]graph.Message, n)
	}
}

// Describe returns the topology as text, to be compared with a golden file.
func (d *Driver) Describe() string { return d.described }

// Commit commits every task: from now on what they sent can be seen, by
// readers of sink topics and by tasks behind a repartition topic; these process
// and commit it too, until nothing is left to commit.
func (d *Driver) Commit() {
	d.t.Helper()
	for d.dirty() {
		d.each((*driven).commit)
		d.each((*driven).run)
	}
}

func (d *Driver) dirty() bool {
	for _, x := range d.tasks {
		if x.task.Dirty() {
			return true
		}
	}
	return false
}

// Crash is a process killed before its commit, and a restart on the disk it
// left: everything since the last Commit is gone and is processed again.
func (d *Driver) Crash() {
	d.t.Helper()
	d.each((*driven).crash)
}

// LoseState is a crash that also loses the disk: state is restored from the
// changelog.
func (d *Driver) LoseState() {
	d.t.Helper()
	d.each((*driven).loseState)
}

// Abort is a transaction that Kafka aborted: everything since the last Commit
// is undone and processed again in the same process.
func (d *Driver) Abort() {
	d.t.Helper()
	d.each((*driven).abort)
}

// AdvanceTo raises the watermark of every partition to at, as if a record of
// that time had been seen on each; what has become due fires. Watermarks never
// go back. It is undone by a crash or an abort like anything uncommitted.
func (d *Driver) AdvanceTo(at time.Time) {
	d.t.Helper()
	d.each(func(x *driven) error { return x.task.Advance(at.UnixMilli()) })
	if d.faults != nil {
		d.Commit() // a fault would undo it, and it is in no log to be done again
	}
}

// Dropped returns how many records the committed part of the run dropped for
// this reason, over all operators.
func (d *Driver) Dropped(reason stream.Reason) int64 {
	var n int64
	for _, x := range d.tasks {
		for i := range x.counted {
			n += x.counted[i].Dropped[reason]
		}
	}
	return n
}

func (d *Driver) each(do func(*driven) error) {
	d.t.Helper()
	for _, x := range d.tasks {
		if err := do(x); err != nil {
			d.t.Fatal(err)
		}
	}
}

// put appends a record to a source topic and has it processed.
func (d *Driver) put(topic string, partition int32, m graph.Message) {
	d.t.Helper()
	log := d.log[topic]
	m.Offset = int64(len(log[partition]))
	log[partition] = append(log[partition], m)
	for _, x := range d.tasks {
		if x.reads(topic) && x.id.Partition == partition {
			if err := x.run(); err != nil {
				d.t.Fatal(err)
			}
		}
	}
	d.disturb()
}

func (d *Driver) partitionOf(key []byte, turn int) int32 {
	if key == nil {
		return int32(turn) % d.partitions
	}
	return partitioner.New()(key, d.partitions)
}
