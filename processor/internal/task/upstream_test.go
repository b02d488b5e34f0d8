package task_test

import (
	"math"
	"testing"

	"github.com/millrace/millrace/processor/internal/graph"
	"github.com/millrace/millrace/processor/internal/partitioner"
	"github.com/millrace/millrace/processor/internal/task"
	"github.com/millrace/millrace/processor/stream"
	"github.com/millrace/millrace/schemaregistry/serde"
	"github.com/millrace/millrace/windowing"
)

// stageOf is a task of one of the two stages of a plain repartition: the first
// has so many tasks, neither has a state.
func stageOf(t *testing.T, stage int, tasks int32, run string) task.Config {
	t.Helper()
	b := stream.New("test")
	stream.To(stream.Repartition("by", stream.From(b, left), serde.String, serde.String), out)
	topology, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	sub := topology.Bind("app").Subtopologies()[stage]
	return task.Config{
		ApplicationID: "app", ID: task.ID{Subtopology: stage}, Tasks: tasks, Subtopology: sub, Partition: partitioner.New(), MaxIdle: -1,
		Partitions: map[string]int32{"out": 1, "app-by-repartition": 3}, Run: run, LogicalNow: 1_000_000,
		Inputs: []task.Input{{Topic: sub.Sources[0], Watermark: math.MinInt64}},
	}
}

// restoredFrom is the configuration of a task that begins where a commit was, with
// what the metadata say and nothing else.
func restoredFrom(t *testing.T, cfg task.Config, c *task.Commit) task.Config {
	t.Helper()
	cfg.Inputs = append([]task.Input(nil), cfg.Inputs...)
	for i := range cfg.Inputs {
		m, err := task.DecodeMeta(c.Metadata[i])
		if err != nil {
			t.Fatal(err)
		}
		in := &cfg.Inputs[i]
		in.Offset, in.Watermark, in.Highest, in.Upstream, in.Finished = c.Offsets[i].Offset, m.Watermark, m.Highest, m.Upstream, m.Finished
	}
	return cfg
}

// An audience is a task that hears of upstream tasks.
type audience struct {
	t       *testing.T
	x       *task.Task
	written int64
}

func (a *audience) hear(s graph.Stamp) {
	a.t.Helper()
	feed(a.t, a.x, 0, []graph.Message{{Offset: a.written, Headers: []graph.Header{{Key: graph.HeaderStamp, Value: s.Append(nil)}}}})
	a.written++
	step(a.t, a.x)
}

// TestABoundedRunWithManyUpstreamTasksEnds: its reader is restored when all but
// one have ended.
func TestABoundedRunWithManyUpstreamTasksEnds(t *testing.T) {
	for _, n := range []int32{300, 400, 1000, 5000} {
		cfg := stageOf(t, 1, 1, "r")
		a := &audience{t: t, x: newTask(t, cfg)}
		ends := func(i int32) {
			a.hear(graph.Stamp{Task: i, Tasks: n, Passed: graph.Time{Watermark: 100, Ended: true}, Control: true, Run: []byte("r")})
		}
		for i := range n - 1 {
			ends(i)
		}
		a.x = newTask(t, restoredFrom(t, cfg, prepare(t, a.x)))
		kept := len(a.x.Time().Inputs[0].Upstream)
		ends(n - 1)
		prepare(t, a.x)
		if err := a.x.Committed(nil, 0); err != nil {
			t.Fatal(err)
		}
		if !a.x.Finished() {
			t.Errorf("%d upstream tasks, %d kept: finished %v", n, kept, a.x.Finished())
		}
	}
}

// TestALiveReaderKnowsManyUpstreamTasks: it does not wait for each of them to move.
func TestALiveReaderKnowsManyUpstreamTasks(t *testing.T) {
	const n = 900
	cfg := stageOf(t, 1, 1, "")
	a := &audience{t: t, x: newTask(t, cfg)}
	for i := range int32(n) {
		a.hear(graph.Stamp{Task: i, Tasks: n, Passed: graph.Time{Watermark: 1_000_000 + 1000*windowing.EventTime(i)}, Control: true})
	}
	a.x = newTask(t, restoredFrom(t, cfg, prepare(t, a.x)))
	a.hear(graph.Stamp{Task: 0, Tasks: n, Passed: graph.Time{Watermark: 5_000_000}, Control: true})
	if got := a.x.Time().Inputs[0].Watermark; got != 1_001_000 {
		t.Errorf("the slowest has moved, and the time is %d", got)
	}
}

// TestManyUpstreamTasksSayTheirTimeAgain: to every partition, once in a while,
// also when they have ended and were restored since. Few do not: their readers
// remember.
func TestManyUpstreamTasksSayTheirTimeAgain(t *testing.T) {
	const renewal = 30_000
	for name, c := range map[string]struct {
		tasks int32
		run   string
		want  int // control records
	}{
		"few, live":     {200, "", 0},
		"many, live":    {201, "", 3},
		"few, bounded":  {200, "r", 0},
		"many, bounded": {201, "r", 3},
	} {
		cfg := stageOf(t, 0, c.tasks, c.run)
		if c.run == "" {
			cfg.Inputs[0].End = math.MaxInt64
		} else {
			cfg.Inputs[0].End = 1
		}
		x := newTask(t, cfg)
		feed(t, x, 0, messages(0, "a"))
		step(t, x)
		tick := func(elapsed int64) {
			if err := x.Tick(elapsed); err != nil {
				t.Fatal(err)
			}
		}
		tick(1)
		said := prepare(t, x)
		if err := x.Committed(nil, 0); err != nil || x.Finished() != (c.run != "") {
			t.Fatalf("%s: finished %v, %v", name, x.Finished(), err)
		}
		if tick(renewal); x.Dirty() {
			t.Errorf("%s: said again too early", name)
		}
		again := restoredFrom(t, cfg, said)
		for _, x := range []*task.Task{x, newTask(t, again)} {
			if x.Dirty() { // one that is begun anew says its time at once
				prepare(t, x)
			}
			if err := x.Tick(1 + renewal); err != nil {
				t.Fatal(err)
			}
			if x.Dirty() != (c.want > 0) {
				t.Errorf("%s: there is something to commit: %v", name, x.Dirty())
			}
			controls := 0
			if x.Dirty() {
				for _, o := range prepare(t, x).Outputs {
					s, _, err := graph.StampOf(o.Headers)
					if err != nil || !s.Control || s.Passed.Ended != (c.run != "") || s.Passed.Watermark != 0 {
						t.Errorf("%s: said %+v, %v", name, s, err)
					}
					controls++
				}
			}
			if controls != c.want {
				t.Errorf("%s: %d control records, want %d", name, controls, c.want)
			}
		}
	}
}

// TestAFinishedReaderIsAtItsEnd: also when it does not know any more who has said
// so. Those behind it are told that it is.
func TestAFinishedReaderIsAtItsEnd(t *testing.T) {
	cfg := stageOf(t, 1, 1, "r")
	cfg.Inputs[0].Finished = true
	if x := newTask(t, cfg); !x.Finished() || !x.Time().Inputs[0].Ended {
		t.Errorf("finished %v, at its end %v", x.Finished(), x.Time().Inputs[0].Ended)
	}
}
