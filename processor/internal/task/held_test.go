package task_test

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace/processor/internal/graph"
	"github.com/millrace/millrace/processor/internal/task"
	"github.com/millrace/millrace/processor/stream"
	"github.com/millrace/millrace/schemaregistry/serde"
	"github.com/millrace/millrace/windowing"
)

// heldBack holds the last value of each key back, as long as there is room for one.
// Behind it changes are counted, and then user code minds some of them.
func heldBack(policy func(*stream.Builder), limit time.Duration) func(*stream.Builder) {
	return func(b *stream.Builder) {
		policy(b)
		in := stream.From(b, left)
		last := stream.Reduce("last", stream.GroupByKey(in), func(_, v string) string { return v }, serde.String, stream.Emit(windowing.OnUpdate))
		held := stream.Suppress("held", last.Changes(), windowing.UntilTimeLimit(limit, windowing.EmitEarly).MaxRecords(1), serde.String)
		stream.To(held, stream.Topic[string, string]{Name: "copied", Key: serde.String, Value: serde.String})
		stream.To(stream.Count("behind", stream.GroupByKey(held), stream.Emit(windowing.OnUpdate)).Changes(), total)
		stream.To(stream.TryMapValues(held, func(_ *stream.Context, r *stream.Record[string, string]) (string, error) {
			return r.Value, minded(r.Value, "bad")
		}, stream.Name("check")), out)
	}
}

// keyedBy are messages that have their values for keys too.
func keyedBy(values ...string) []graph.Message {
	ms := messages(0, values...)
	for i := range ms {
		ms[i].Key = []byte(strings.TrimSuffix(values[i], "!"))
	}
	return ms
}

var answering = map[string]func(*stream.Builder){
	"skip":        (*stream.Builder).SkipErrors,
	"dead letter": func(b *stream.Builder) { b.DeadLetter("dead") },
}

// TestAHeldResultIsNotTheFaultOfTheRecordThatNeedsItsRoom: what fails behind a
// suppression is dropped itself, counted where it fails, with all it did, and the
// records that come meanwhile go on.
func TestAHeldResultIsNotTheFaultOfTheRecordThatNeedsItsRoom(t *testing.T) {
	for policy, set := range answering {
		for _, bad := range []string{"bad", "bad!"} {
			for _, careful := range []int{0, 100} {
				for _, limit := range []time.Duration{time.Hour, time.Millisecond} { // for want of room, and as time passes
					t.Run(fmt.Sprint(policy, " ", bad, " ", careful, " ", limit), func(t *testing.T) {
						cfg := config(t, heldBack(set, limit))
						cfg.Careful, cfg.Exact = careful, careful > 0
						cfg.Partitions["copied"] = 1
						x := newTask(t, cfg)
						feed(t, x, 0, keyedBy(bad, "b", "c", bad, "d", "e"))
						if n := step(t, x); n != 6 {
							t.Errorf("%d of 6 records", n)
						}
						c := prepare(t, x)
						checkAccounts(t, c)
						for _, topic := range []string{"out", "copied"} {
							if got := values(c, topic); got != "b c d" {
								t.Errorf("%q has %q", topic, got)
							}
						}
						if got := len(strings.Fields(strings.ReplaceAll(values(c, "total"), "\x00", "x"))); got != 3 {
							t.Errorf("%d are counted behind", got)
						}
						checkHeld(t, c, policy, bad)
					})
				}
			}
		}
	}
}

// checkHeld looks at what became of a change that failed twice.
func checkHeld(t *testing.T, c *task.Commit, policy, bad string) {
	t.Helper()
	var dropped [][2]int64
	for id := range c.Counters {
		if n := c.Counters[id].Dropped[graph.Process]; n > 0 {
			dropped = append(dropped, [2]int64{int64(id), n})
		}
	}
	const check = 6 // its node
	if len(dropped) != 1 || dropped[0] != [2]int64{check, 2} {
		t.Errorf("dropped %v, want 2 at node %d", dropped, check)
	}
	n := 0
	for _, o := range c.Outputs {
		if o.Topic != "dead" {
			continue
		}
		n++
		h := map[string]string{}
		for _, x := range o.Headers {
			h[x.Key] = string(x.Value)
		}
		_, origin := h["__streams.errors.offset"]
		if string(o.Value) != bad || string(o.Key) != "bad" || h["__millrace.errors.held"] != "held" || origin || h["__millrace.errors.reason"] != "process" {
			t.Errorf("dead letter %q=%q, headers %v", o.Key, o.Value, h)
		}
	}
	if want := map[string]int{"skip": 0, "dead letter": 2}[policy]; n != want {
		t.Errorf("%d dead letters, want %d", n, want)
	}
}

// TestAHeldResultEndsTheTaskWithoutAPolicy, which names who failed and what to do.
func TestAHeldResultEndsTheTaskWithoutAPolicy(t *testing.T) {
	for _, bad := range []string{"bad", "bad!"} {
		cfg := config(t, heldBack(func(*stream.Builder) {}, time.Hour))
		cfg.Partitions["copied"] = 1
		x := newTask(t, cfg)
		feed(t, x, 0, keyedBy(bad, "b"))
		_, err := x.Step(math.MaxInt64, 10)
		if scope, _ := task.Classify(err); scope != task.TaskScope || err == nil {
			t.Fatalf("the error is %v", err)
		}
		operator := `operator "check"`
		if bad == "bad!" {
			operator = `operator "task_test.minded`
		}
		for _, want := range []string{"task 0_0: ", `"held"`, operator, "set an error policy (SkipErrors or DeadLetter of stream.Builder)"} {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("the error does not say %s: %v", want, err)
			}
		}
		if strings.Contains(err.Error(), "offset 1") {
			t.Errorf("it blames a record: %v", err)
		}
	}
}

// TestADropBehindASuppressionIsNotTheRecordThatNeedsItsRoom: that one is no dead
// letter for it.
func TestADropBehindASuppressionIsNotTheRecordThatNeedsItsRoom(t *testing.T) {
	x := newTask(t, config(t, func(b *stream.Builder) {
		b.DeadLetter("dead", stream.Late)
		counts := stream.Count("last", stream.GroupByKey(stream.From(b, left)), stream.Emit(windowing.OnUpdate)).Changes()
		held := stream.Suppress("held", counts, windowing.UntilTimeLimit(time.Hour, windowing.EmitEarly).MaxRecords(1), serde.Int64)
		stream.CountWindows("windows", stream.Window(stream.GroupByKey(held), windowing.Tumbling(time.Minute)))
	}))
	ms := keyedBy("a", "late", "b", "c")
	for i, at := range []int64{0, 0, 600_000, 600_000} {
		ms[i].Timestamp = at
	}
	ms[1].Timestamp, ms[2].Timestamp = 600_000, 1 // late comes last of all
	feed(t, x, 0, ms)
	step(t, x)
	c := prepare(t, x)
	checkAccounts(t, c)
	if got := values(c, "dead"); got != "" {
		t.Errorf("dead letters %q", got)
	}
}
