package task_test

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace/processor/internal/graph"
	"github.com/millrace/millrace/processor/internal/partitioner"
	"github.com/millrace/millrace/processor/internal/task"
	"github.com/millrace/millrace/processor/stream"
	"github.com/millrace/millrace/state"
	"github.com/millrace/millrace/windowing"
)

// BenchmarkPoison is the cost of a record where one in a hundred is bad, after it
// had effects, beside that of good ones with and without savepoints. A large
// result has 20 KB here and its topic takes 10. A count is changed in place, what
// sessions and sliding windows keep shares memory with a copy and has to be encoded.
func BenchmarkPoison(b *testing.B) {
	for _, app := range []string{"count", "sessions", "sliding"} {
		for _, kind := range []string{"", "careful", "bad", "panic", "large", "old"} {
			b.Run("app="+app+"/kind="+kind, func(b *testing.B) { benchPoison(b, app, kind) })
		}
	}
}

const (
	poisonBatch = 10_000
	poisonNow   = 1_000_000_000
)

func benchPoison(b *testing.B, app, kind string) {
	x := poisonTask(b, app, kind)
	batch, offset, next := make([]graph.Message, poisonBatch), int64(0), make([]int64, 1)
	refused, dead := 0, 0
	b.ReportAllocs()
	for n := 0; n < b.N; n += poisonBatch {
		for i := range batch {
			batch[i] = graph.Message{Key: []byte("key-0000"), Value: []byte("good"), Offset: offset, Timestamp: poisonNow}
			for k, j := 7, i; k > 3; k, j = k-1, j/10 {
				batch[i].Key[k] = byte('0' + j%10)
			}
			if i%100 == 7 && kind != "careful" && kind != "" {
				batch[i].Value = []byte(kind)
				refused++
				if kind == "old" {
					batch[i].Timestamp = 0
				}
			}
			offset++
		}
		dead += commitBatch(b, x, batch, offset, next)
	}
	if dead != refused {
		b.Fatalf("%d records are bad, %d dead letters", refused, dead)
	}
}

// commitBatch processes batch, which ends before offset, and commits it. next
// holds the end of each store's changelog. It returns the number of dead letters.
func commitBatch(b *testing.B, x *task.Task, batch []graph.Message, offset int64, next []int64) (dead int) {
	if err := x.Enqueue(0, batch, offset); err != nil {
		b.Fatal(err)
	}
	if _, err := x.Step(poisonNow, poisonBatch); err != nil {
		b.Fatal(err)
	}
	c, err := x.Prepare()
	if err != nil {
		b.Fatal(err)
	}
	for i := range c.Outputs {
		if c.Outputs[i].Topic == "dead" {
			dead++
		}
	}
	for _, e := range c.Entries {
		next[e.Store]++
	}
	if err := x.Committed(next, 1); err != nil {
		b.Fatal(err)
	}
	return dead
}

func poisonTask(b *testing.B, app, kind string) *task.Task {
	large := strings.Repeat("x", 20_000)
	builder := stream.New("bench")
	builder.DeadLetter("dead")
	in := stream.From(builder, left)
	stream.To(in, out)
	stream.To(countedBy(app, stream.GroupByKey(in)), total)
	checked := stream.TryMapValues(in, func(_ *stream.Context, r *stream.Record[string, string]) (string, error) {
		switch r.Value {
		case "bad":
			return "", errors.New("bad value")
		case "panic":
			panic("user code")
		case "large":
			return large, nil
		}
		return r.Value, nil
	})
	stream.To(checked, right)
	topology, err := builder.Build()
	if err != nil {
		b.Fatal(err)
	}
	cfg := task.Config{
		ApplicationID: "app", Subtopology: topology.Subtopologies()[0], Partition: partitioner.New(), MaxIdle: -1,
		Partitions: map[string]int32{"out": 1, "total": 1, "dead": 1, "right": 1},
		Limits:     map[string]*graph.Limits{"right": {MaxBytes: 10_000, Before: 3_600_000, After: graph.NoBound}},
		Inputs:     []task.Input{{Topic: "left", Watermark: math.MinInt64, End: math.MaxInt64}},
	}
	if kind != "" {
		cfg.Careful = math.MaxInt
	}
	if cfg.Stores, err = state.NewMemory().Open("0_0", state.Identity{ApplicationID: "app", Task: "0_0"}, cfg.Subtopology.Stores); err != nil {
		b.Fatal(err)
	}
	x, err := task.New(cfg)
	if err != nil {
		b.Fatal(err)
	}
	return x
}

// countedBy counts the records of each key in one of three ways.
func countedBy(app string, in stream.Grouped[string, string]) stream.Stream[string, int64] {
	var w windowing.Definition
	switch app {
	case "sessions":
		w = windowing.Session(time.Minute).Grace(time.Hour).Emit(windowing.OnUpdate)
	case "sliding":
		w = windowing.Sliding(time.Minute).Grace(time.Hour).Emit(windowing.OnUpdate)
	default:
		return stream.Count("totals", in, stream.Emit(windowing.OnUpdate)).Changes()
	}
	return stream.Map(stream.CountWindows("totals", stream.Window(in, w)).Results, func(k windowing.Key[string], n int64) (string, int64) { return k.Key, n })
}

// BenchmarkCareful is the cost of a savepoint beside the number of nodes and
// stores: a record comes to one of many counts.
func BenchmarkCareful(b *testing.B) {
	for _, stores := range []int{1, 20, 60} {
		for _, careful := range []int{0, math.MaxInt} {
			b.Run(fmt.Sprintf("stores=%d/careful=%v", stores, careful > 0), func(b *testing.B) { benchCareful(b, stores, careful) })
		}
	}
}

func benchCareful(b *testing.B, stores, careful int) {
	x := branchedTask(b, stores, careful)
	batch, offset, next := make([]graph.Message, poisonBatch), int64(0), make([]int64, stores)
	for i := range batch {
		batch[i] = graph.Message{Key: fmt.Appendf(nil, "key-%04d", i%1000), Value: fmt.Appendf(nil, "%c", i%stores), Timestamp: poisonNow}
	}
	b.ReportAllocs()
	for n := 0; n < b.N; n += poisonBatch {
		for i := range batch {
			batch[i].Offset = offset
			offset++
		}
		if dead := commitBatch(b, x, batch, offset, next); dead != 0 {
			b.Fatalf("%d dead letters of good records", dead)
		}
	}
}

func branchedTask(b *testing.B, stores, careful int) *task.Task {
	builder := stream.New("bench")
	builder.SkipErrors()
	branches := make([]func(_, v string) bool, stores)
	for i := range branches {
		branches[i] = func(_, v string) bool { return int(v[0]) == i }
	}
	for i, s := range stream.From(builder, left).Branch(branches[0], branches[1:]...)[:stores] {
		stream.Count(fmt.Sprintf("n%d", i), stream.GroupByKey(s))
	}
	topology, err := builder.Build()
	if err != nil {
		b.Fatal(err)
	}
	cfg := task.Config{
		ApplicationID: "app", Subtopology: topology.Subtopologies()[0], Partition: partitioner.New(), MaxIdle: -1, Careful: careful,
		Inputs: []task.Input{{Topic: "left", Watermark: math.MinInt64, End: math.MaxInt64}},
	}
	if cfg.Stores, err = state.NewMemory().Open("0_0", state.Identity{ApplicationID: "app", Task: "0_0"}, cfg.Subtopology.Stores); err != nil {
		b.Fatal(err)
	}
	x, err := task.New(cfg)
	if err != nil {
		b.Fatal(err)
	}
	return x
}
