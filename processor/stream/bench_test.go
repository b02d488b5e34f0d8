package stream_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/millrace/millrace/processor/internal/graph"
	"github.com/millrace/millrace/processor/internal/partitioner"
	"github.com/millrace/millrace/processor/internal/task"
	"github.com/millrace/millrace/processor/stream"
	"github.com/millrace/millrace/schemaregistry/serde"
	"github.com/millrace/millrace/state"
	"github.com/millrace/millrace/windowing"
)

const (
	benchKeys   = 10_000
	benchBatch  = 1000
	benchCommit = 100_000       // records between two commits
	benchRate   = 50_000 / 1000 // records per millisecond of event time
)

var (
	benchIn  = stream.Topic[benchKey, int64]{Name: "in", Key: serde.Of[benchKey](benchKeyCodec{}), Value: serde.Int64}
	benchOut = stream.Topic[windowing.Key[benchKey], int64]{Name: "out", Key: windowing.KeySerde(benchIn.Key, 10*time.Second), Value: serde.Int64}
)

// A benchKey is the 16 bytes of a key as a value, so that decoding it costs no
// allocation.
type benchKey [16]byte

type benchKeyCodec struct{}

func (benchKeyCodec) Append(dst []byte, k benchKey) ([]byte, error) { return append(dst, k[:]...), nil }

func (benchKeyCodec) Decode(src []byte) (benchKey, error) {
	if len(src) != len(benchKey{}) {
		return benchKey{}, fmt.Errorf("a key of %d bytes", len(src))
	}
	return benchKey(src), nil
}

// engine runs one task of a topology over batches made in advance.
type engine struct {
	tb      testing.TB
	held    bool // nothing is committed
	task    *task.Task
	keys    [][]byte
	value   []byte
	pick    []uint16
	rate    int64 // records per millisecond of event time
	offset  int64
	logged  int64 // records in the changelog
	sum     int64 // counts in the final results
	outputs int
	batches [2][]graph.Message
}

func newEngine(b testing.TB, build func(*stream.Builder)) *engine {
	b.Helper()
	return newEngineOn(b, state.NewMemory(), build)
}

func newEngineOn(b testing.TB, storage state.Storage, build func(*stream.Builder)) *engine {
	b.Helper()
	sb := stream.New("bench")
	build(sb)
	topology, err := sb.Build()
	if err != nil {
		b.Fatal(err)
	}
	e := &engine{tb: b, value: make([]byte, 8), rate: benchRate}
	for i := range benchKeys {
		e.keys = append(e.keys, fmt.Appendf(nil, "%016x", i))
	}
	r := rand.New(rand.NewPCG(1, 2))
	for range 1 << 16 {
		e.pick = append(e.pick, uint16(r.IntN(benchKeys)))
	}
	sub := topology.Subtopologies()[0]
	var stores *state.Stores
	if len(sub.Stores) > 0 {
		stores, err = storage.Open("0_0", state.Identity{ApplicationID: "bench", Task: "0_0"}, sub.Stores)
		if err != nil {
			b.Fatal(err)
		}
	}
	e.task, err = task.New(task.Config{
		Subtopology: sub, Stores: stores, Inputs: []task.Input{{Topic: "in", Watermark: int64(windowing.NoTime)}},
		Partitions: map[string]int32{"out": 8}, Partition: partitioner.New(),
	})
	if err != nil {
		b.Fatal(err)
	}
	return e
}

// batch fills the batch after next: the task may still hold the other one.
func (e *engine) batch() []graph.Message {
	i := int(e.offset/benchBatch) & 1
	if e.batches[i] == nil {
		e.batches[i] = make([]graph.Message, benchBatch)
	}
	batch := e.batches[i]
	for j := range batch {
		at := e.offset + int64(j)
		batch[j] = graph.Message{
			Key: e.keys[e.pick[at&0xffff]], Value: e.value, Offset: at, Timestamp: 1_767_225_600_000 + at/e.rate,
		}
	}
	return batch
}

func (e *engine) run(records int) {
	for done := 0; done < records; done += benchBatch {
		if err := e.task.Enqueue(0, e.batch(), e.offset+benchBatch); err != nil {
			e.tb.Fatal(err)
		}
		e.offset += benchBatch
		if _, err := e.task.Step(1<<62, benchBatch); err != nil {
			e.tb.Fatal(err)
		}
		if e.offset%benchCommit == 0 && !e.held {
			e.commit()
		}
	}
}

func (e *engine) commit() {
	c, err := e.task.Prepare()
	if err != nil {
		e.tb.Fatal(err)
	}
	e.outputs += len(c.Outputs)
	for i := range c.Outputs {
		if v, err := benchCodec.Decode(c.Outputs[i].Value); err == nil {
			e.sum += v
		}
	}
	next := []int64{-1}
	if len(c.Entries) > 0 {
		e.logged += int64(len(c.Entries))
		next[0] = e.logged
	}
	if err := e.task.Committed(next, 0); err != nil {
		e.tb.Fatal(err)
	}
}

var benchCodec, _ = serde.Int64.Bind(serde.Use{})

// measure runs b.N records, reported per record, after a warm-up of two
// windows.
func (e *engine) measure(b *testing.B) {
	const warmUp = 1_200_000
	e.run(warmUp)
	b.ReportAllocs()
	b.ResetTimer()
	e.run(b.N)
}

// BenchmarkWindowedCount is the engine alone: a windowed count over batches in
// memory, with commits but no Kafka. Every result is checked to add up.
func BenchmarkWindowedCount(b *testing.B) {
	e := newEngine(b, func(sb *stream.Builder) {
		w := windowing.Tumbling(10 * time.Second).Emit(windowing.OnClose)
		stream.To(stream.CountWindows("tumble", stream.Window(stream.GroupByKey(stream.From(sb, benchIn)), w)).Results, benchOut)
	})
	e.measure(b)
	b.StopTimer()
	if err := e.task.Advance(1 << 50); err != nil {
		b.Fatal(err)
	}
	e.commit()
	if e.sum != e.offset {
		b.Fatalf("the windows count %d of %d records", e.sum, e.offset)
	}
}

// BenchmarkStatelessOperator is what one more stateless operator costs: the
// difference between the sub-benchmarks, by 10.
func BenchmarkStatelessOperator(b *testing.B) {
	for _, operators := range []int{1, 11} {
		b.Run(fmt.Sprintf("operators=%d", operators), func(b *testing.B) {
			kept := 0
			e := newEngine(b, func(sb *stream.Builder) {
				s := stream.From(sb, benchIn)
				for range operators {
					s = stream.MapValues(s, func(v int64) int64 { return v + 1 })
				}
				stream.To(s.Filter(func(benchKey, int64) bool { kept++; return false }), stream.Topic[benchKey, int64]{Name: "out", Key: benchIn.Key, Value: serde.Int64})
			})
			e.measure(b)
			if int64(kept) != e.offset {
				b.Fatalf("%d of %d records arrived", kept, e.offset)
			}
		})
	}
}

// BenchmarkHeartbeats is the worst case of telling the time over a repartition
// topic: 16 upstream tasks tell 16 partitions at every commit, no record helps,
// and every reader takes all of it. It reports how many control records that is
// at ten commits a second, and what share of one core they cost.
func BenchmarkHeartbeats(b *testing.B) {
	const tasks, commitsPerSecond = 16, 10
	sb := stream.New("bench")
	none := stream.From(sb, benchIn).Filter(func(benchKey, int64) bool { return false })
	same := func(k benchKey, _ int64) benchKey { return k }
	w := windowing.Tumbling(10 * time.Second).Emit(windowing.OnClose)
	counted := stream.CountWindows("w", stream.Window(stream.GroupBy("again", none, same, benchIn.Key, serde.Int64), w))
	stream.To(counted.Results, benchOut)
	topology, err := sb.Build()
	if err != nil {
		b.Fatal(err)
	}
	bound := topology.Bind("bench")
	up, down := newRounds(b, bound, 0, tasks), newRounds(b, bound, 1, tasks)
	beats := 0
	b.ResetTimer()
	for n := range b.N {
		logs := make([][]graph.Message, tasks)
		for _, r := range up {
			m := graph.Message{Key: make([]byte, len(benchKey{})), Value: make([]byte, 8), Timestamp: int64(n+1) * 100}
			for _, o := range r.run([]graph.Message{m}) {
				logs[o.Partition] = append(logs[o.Partition], graph.Message{Headers: o.Headers, Timestamp: o.Timestamp})
				beats++
			}
		}
		for p, r := range down {
			r.run(logs[p])
		}
	}
	b.StopTimer()
	if beats != b.N*tasks*tasks {
		b.Fatalf("%d control records in %d rounds", beats, b.N)
	}
	b.ReportMetric(tasks*tasks*commitsPerSecond, "beats/s")
	b.ReportMetric(b.Elapsed().Seconds()/float64(b.N)*commitsPerSecond*100, "%core")
}

// rounds runs one task, a commit at a time.
type rounds struct {
	b      *testing.B
	task   *task.Task
	offset int64 // of its input
	logged int64 // records in its changelog
}

func newRounds(b *testing.B, topology *graph.Topology, sub, tasks int) (all []*rounds) {
	s := topology.Subtopologies()[sub]
	storage := state.NewMemory()
	for p := range tasks {
		cfg := task.Config{
			ID: task.ID{Subtopology: sub, Partition: int32(p)}, Subtopology: s, Tasks: int32(tasks),
			Inputs:     []task.Input{{Topic: s.Sources[0], Watermark: int64(windowing.NoTime)}},
			Partitions: map[string]int32{"out": 8, topology.Repartitions()[0].Topic: int32(tasks)}, Partition: partitioner.New(),
		}
		var err error
		if len(s.Stores) > 0 {
			name := cfg.ID.String()
			if cfg.Stores, err = storage.Open(name, state.Identity{ApplicationID: "bench", Task: name}, s.Stores); err != nil {
				b.Fatal(err)
			}
		}
		t, err := task.New(cfg)
		if err != nil {
			b.Fatal(err)
		}
		all = append(all, &rounds{b: b, task: t})
	}
	return all
}

// run processes a batch and commits. The outputs are valid until the next run.
func (r *rounds) run(batch []graph.Message) []graph.Out {
	for i := range batch {
		batch[i].Offset = r.offset
		r.offset++
	}
	if err := r.task.Enqueue(0, batch, r.offset); err != nil {
		r.b.Fatal(err)
	}
	if _, err := r.task.Step(1<<62, len(batch)); err != nil {
		r.b.Fatal(err)
	}
	c, err := r.task.Prepare()
	if err != nil {
		r.b.Fatal(err)
	}
	r.logged += int64(len(c.Entries))
	outs := slices.Clone(c.Outputs)
	if err := r.task.Committed([]int64{r.logged}, 0); err != nil {
		r.b.Fatal(err)
	}
	return outs
}
