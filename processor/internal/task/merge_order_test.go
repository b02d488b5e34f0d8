package task_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace/processor/internal/graph"
	"github.com/millrace/millrace/processor/internal/partitioner"
	"github.com/millrace/millrace/processor/internal/task"
	"github.com/millrace/millrace/processor/stream"
	"github.com/millrace/millrace/schemaregistry/serde"
	"github.com/millrace/millrace/windowing"
)

// mergedBehind is a task that merges a repartition topic with another one, or with
// the source of that name. It has no state: what it sends shows the order in which it
// chose.
func mergedBehind(t *testing.T, other, run string) (cfg task.Config, edges []bool) {
	t.Helper()
	b := stream.New("test")
	var with stream.Stream[string, string]
	if other == "" {
		with = stream.Repartition("too", stream.From(b, right), serde.String, serde.String)
	} else {
		with = stream.From(b, stream.Topic[string, string]{Name: other, Key: serde.String, Value: serde.String}, stream.Watermark(windowing.Bounded(20*time.Millisecond)))
	}
	stream.To(stream.Repartition("by", stream.From(b, left), serde.String, serde.String).Merge(with), out)
	topology, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	for _, sub := range topology.Bind("app").Subtopologies() {
		if len(sub.Sources) < 2 {
			continue
		}
		cfg = task.Config{
			ApplicationID: "app", ID: task.ID{Subtopology: sub.ID}, Tasks: 1, Subtopology: sub, Partition: partitioner.New(), MaxIdle: -1,
			Partitions: map[string]int32{"out": 1}, Run: run, LogicalNow: 1_000_000,
		}
		for _, topic := range sub.Sources {
			cfg.Inputs = append(cfg.Inputs, task.Input{Topic: topic, Watermark: math.MinInt64, Highest: math.MinInt64, End: math.MaxInt64})
			edges = append(edges, topic != other)
		}
		return cfg, edges
	}
	t.Fatal("no task has two inputs")
	return cfg, nil
}

// stamped is a record of a repartition topic, or a control record if it has no value.
func stamped(offset, at int64, value string, s graph.Stamp) graph.Message {
	m := graph.Message{Offset: offset, Timestamp: at}
	if s.Control = value == ""; !s.Control {
		m.Key, m.Value = []byte("k"), []byte(value)
	}
	m.Headers = []graph.Header{{Key: graph.HeaderStamp, Value: s.Append(nil)}}
	return m
}

// TestARestartKeepsTheOrderBetweenInputs: a task that merges a repartition topic
// with a source chooses after a restart what it would have chosen without one.
func TestARestartKeepsTheOrderBetweenInputs(t *testing.T) {
	says := func(at windowing.EventTime) graph.Stamp {
		return graph.Stamp{Tasks: 1, Passed: graph.Time{Watermark: at}, Record: at}
	}
	for name, c := range map[string]struct {
		before, after graph.Message
		other         int64 // the time of what the source has then
		want          string
	}{
		// The running maximum of the topic is 100, that of the source 70.
		"the records are ahead of the watermark": {stamped(0, 100, "e100", says(20)), stamped(1, 50, "e50", says(20)), 70, "r70 e50"},
		// Nobody waits for what is below the watermark.
		"the watermark is ahead of the records": {stamped(0, 1000, "", says(1000)), stamped(1, 500, "e500", says(1000)), 700, "r700 e500"},
	} {
		for _, restart := range []bool{false, true} {
			cfg, edges := mergedBehind(t, "right", "")
			edge := slices.Index(edges, true)
			x := newTask(t, cfg)
			feed(t, x, edge, []graph.Message{c.before})
			step(t, x)
			commit := prepare(t, x)
			if restart {
				x = newTask(t, restoredFrom(t, cfg, commit))
			} else if err := x.Committed(nil, 0); err != nil {
				t.Fatal(err)
			}
			feed(t, x, edge, []graph.Message{c.after})
			feed(t, x, 1-edge, []graph.Message{{Key: []byte("k"), Value: fmt.Appendf(nil, "r%d", c.other), Timestamp: c.other}})
			step(t, x)
			if got := values(prepare(t, x), "out"); got != c.want {
				t.Errorf("%s, restart %v: got %q, want %q", name, restart, got, c.want)
			}
		}
	}
}

// upstreamTasks write each repartition topic of a mergeWorld.
const upstreamTasks = 2

// A mergeWorld is a task that merges two inputs, and their logs, drawn at random.
type mergeWorld struct {
	r    *rand.Rand
	cfg  task.Config
	logs [2][]graph.Message // by input
}

func newMergeWorld(t *testing.T, seed uint64, other, run string) *mergeWorld {
	w := &mergeWorld{r: rand.New(rand.NewPCG(seed, 5))}
	cfg, edges := mergedBehind(t, other, run)
	w.cfg = cfg
	var highest [2][upstreamTasks]int64
	for n, at := 0, int64(1000); n < 60; n++ {
		at += 10 * w.r.Int64N(4)
		i := w.r.IntN(2)
		if edges[i] {
			w.drawEdge(i, n, at, &highest[i])
			continue
		}
		w.add(i, graph.Message{Key: []byte("k"), Value: fmt.Append(nil, "r", n), Timestamp: at - 10*w.r.Int64N(4)})
	}
	for i := range edges {
		if !edges[i] {
			w.cfg.Inputs[i].End = int64(len(w.logs[i]))
			continue
		}
		for u := range int32(upstreamTasks) { // what is live takes no notice of the end
			passed := graph.Time{Watermark: windowing.EventTime(highest[i][u]), Ended: true}
			w.add(i, stamped(0, highest[i][u], "", graph.Stamp{Task: u, Tasks: upstreamTasks, Passed: passed, Run: []byte("r")}))
		}
	}
	return w
}

// drawEdge adds a record to a repartition topic; highest is what its upstream tasks
// have seen.
func (w *mergeWorld) drawEdge(i, n int, at int64, highest *[upstreamTasks]int64) {
	if u := w.r.IntN(upstreamTasks); w.r.IntN(2) == 0 { // what went to another partition
		highest[u] = max(highest[u], at)
	}
	u := w.r.IntN(upstreamTasks)
	value, when := fmt.Sprint("e", n), at-10*w.r.Int64N(6)
	passed := windowing.EventTime(highest[u] - 20)
	switch w.r.IntN(6) {
	case 0: // nothing but the time
		value, when = "", max(highest[u]-20, 0)
	case 1, 2: // late
		when = at - 200
	default:
		highest[u] = max(highest[u], when)
	}
	w.add(i, stamped(0, when, value, graph.Stamp{Task: int32(u), Tasks: upstreamTasks, Passed: graph.Time{Watermark: passed}, Record: passed, Run: []byte(w.cfg.Run)}))
}

func (w *mergeWorld) add(input int, m graph.Message) {
	m.Offset = int64(len(w.logs[input]))
	w.logs[input] = append(w.logs[input], m)
}

// order runs the task over the logs and returns what was committed of its outputs, in
// their order. It commits as the dice say, and crashes if it is to. A trickle brings
// the records by and by, or else all that is left is there at once.
func (w *mergeWorld) order(t *testing.T, crashes, trickle bool) string {
	t.Helper()
	var sent []string
	cfg, fed := w.cfg, [2]int64{}
	x := newTask(t, cfg)
	for range 10_000 {
		for i, log := range w.logs {
			n := int64(len(log)) - fed[i]
			if trickle {
				n = min(n, w.r.Int64N(4))
			}
			if n > 0 {
				feed(t, x, i, slices.Clone(log[fed[i]:fed[i]+n]))
				fed[i] += n
			}
		}
		if _, err := x.Step(1_000_000, 1+w.r.IntN(8)); err != nil {
			t.Fatal(err)
		}
		if w.r.IntN(3) == 0 {
			c := prepare(t, x)
			if v := values(c, "out"); v != "" {
				sent = append(sent, v)
			}
			cfg = restoredFrom(t, cfg, c)
			if err := x.Committed(nil, 0); err != nil {
				t.Fatal(err)
			}
			if int(x.Position(0)) == len(w.logs[0]) && int(x.Position(1)) == len(w.logs[1]) {
				return strings.Join(sent, " ")
			}
		}
		if crashes && w.r.IntN(3) == 0 {
			x, fed = newTask(t, cfg), [2]int64{cfg.Inputs[0].Offset, cfg.Inputs[1].Offset}
		}
	}
	t.Fatal("it does not come to its end")
	return ""
}

// TestTheOrderBetweenInputsFollowsFromTheirLogs: in a bounded run, whatever has
// arrived when the task chooses; live as long as everything is there; and either way
// whether the task crashes or not. Of records of one time the first is that of the
// first topic, so a source has a name before that of the repartition topic, and one
// behind it.
func TestTheOrderBetweenInputsFollowsFromTheirLogs(t *testing.T) {
	for _, other := range []string{"right", "aa", ""} {
		for _, run := range []string{"", "r"} {
			seeds := uint64(150)
			if testing.Short() {
				seeds = 30
			}
			for seed := range seeds {
				w := newMergeWorld(t, seed, other, run)
				want := w.order(t, false, false)
				for how, got := range map[string]string{
					"with crashes":            w.order(t, true, false),
					"by and by":               w.trickled(t, false, want),
					"by and by, with crashes": w.trickled(t, true, want),
				} {
					if got != want {
						t.Fatalf("other %q, run %q, seed %d, %s:\n%s\nall at once:\n%s", other, run, seed, how, got, want)
					}
				}
			}
		}
	}
}

// trickled is the order as records come by and by, which says nothing where the task
// is live.
func (w *mergeWorld) trickled(t *testing.T, crashes bool, live string) string {
	t.Helper()
	if w.cfg.Run == "" {
		return live
	}
	return w.order(t, crashes, true)
}
