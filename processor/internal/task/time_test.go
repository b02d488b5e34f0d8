package task_test

import (
	"fmt"
	"math"
	"strconv"
	"strings"
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

var perSecond = stream.Topic[windowing.Key[string], int64]{Name: "out", Key: windowing.KeySerde(serde.String, time.Second), Value: serde.Int64}

// windowed counts what comes by both topics in windows of a second with half a
// second of grace, and once more behind that.
func windowed(b *stream.Builder) {
	quiet := stream.Watermark(windowing.Ascending().Idle(time.Second))
	both := stream.From(b, left, quiet).Merge(stream.From(b, right, quiet))
	second := windowing.Tumbling(time.Second).Grace(500 * time.Millisecond).Emit(windowing.OnClose)
	first := stream.CountWindows("first", stream.Window(stream.GroupByKey(both), second))
	again := stream.CountWindows("again", stream.Window(stream.GroupByKey(first.Results), second))
	stream.To(again.Results, stream.Topic[windowing.Key[windowing.Key[string]], int64]{
		Name: "total", Key: windowing.KeySerde(perSecond.Key, time.Second), Value: serde.Int64,
	})
}

func at(t *testing.T, x *task.Task, input int, offset, ms int64) {
	t.Helper()
	feed(t, x, input, []graph.Message{{Key: []byte("k"), Value: []byte("v"), Offset: offset, Timestamp: ms}})
	step(t, x)
}

// told renders the time of a task's operators.
func told(x *task.Task) string {
	var parts []string
	info := x.Time()
	for _, o := range info.Operators {
		parts = append(parts, fmt.Sprintf("%s at %s passed %s due %s: %s/%d %s",
			o.Name, ms(o.Arrived.Watermark), ms(o.Passed), ms(o.Due), info.Inputs[o.Hold.Input].Topic, o.Hold.Upstream, o.Hold.Behind))
	}
	return strings.Join(parts, "\n")
}

func ms(t windowing.EventTime) string {
	switch t {
	case windowing.NoTime:
		return "-"
	case windowing.MaxTime:
		return "never"
	}
	return fmt.Sprint(int64(t))
}

func TestTimeNamesTheSlowestInput(t *testing.T) {
	x := newTask(t, config(t, windowed))
	want := func(when, want string) {
		t.Helper()
		if got := told(x); got != want {
			t.Errorf("%s:\n%s\nwant\n%s", when, got, want)
		}
	}
	at(t, x, 0, 0, 5000)
	want("only the left one has come", "first at - passed - due 6500: right/-1 \nagain at - passed - due never: right/-1 first")
	at(t, x, 1, 0, 7000)
	want("the right one is ahead", "first at 5000 passed 4500 due 6500: left/-1 \nagain at 4500 passed 4000 due never: left/-1 first")
	for _, now := range []int64{100_000, 102_000} {
		if err := x.AtEnd(0, 1, moment(now)); err != nil {
			t.Fatal(err)
		}
	}
	want("the left one is idle", "first at 7000 passed 6500 due 8500: right/-1 \nagain at 6500 passed 6000 due never: right/-1 first")
	if in := x.Time().Inputs[0]; !in.Idle || in.Watermark != 5000 || in.Internal || in.Upstream != nil {
		t.Errorf("left is %+v", in)
	}
	for _, now := range []int64{103_000, 105_000} {
		if err := x.AtEnd(1, 1, moment(now)); err != nil {
			t.Fatal(err)
		}
	}
	if o := x.Time().Operators[0]; !o.Arrived.Idle || x.Time().Inputs[o.Hold.Input].Topic != "right" {
		t.Errorf("all are idle: %+v", o)
	}
}

// TestTimeNamesTheUpstreamTask: behind a repartition topic a channel is an
// upstream task, and one that was not heard holds all.
func TestTimeNamesTheUpstreamTask(t *testing.T) {
	x := newTask(t, behindRepartition(t))
	heard := func() (all string) {
		for _, u := range x.Time().Inputs[0].Upstream {
			all += fmt.Sprint(u.Heard, ms(u.Watermark), " ")
		}
		return all
	}
	if in := x.Time().Inputs[0]; !in.Internal || in.Upstream != nil {
		t.Errorf("before anything came: %+v", in)
	}
	if o := x.Time().Operators[0]; o.Hold.Upstream != -1 {
		t.Errorf("nobody was heard: %+v", o.Hold)
	}
	for i, c := range []struct {
		from         int32
		at           windowing.EventTime
		hold         int
		heard, merge string
	}{
		{0, 9000, 1, "true9000 false- ", "-"},
		{1, windowing.NoTime, 1, "true9000 true- ", "-"},
		{1, 9500, 0, "true9000 true9500 ", "9000"},
		{0, 9900, 1, "true9900 true9500 ", "9500"},
	} {
		stamp := graph.Stamp{Task: c.from, Tasks: 2, Passed: graph.Time{Watermark: c.at}, Control: true}
		feed(t, x, 0, []graph.Message{{Offset: int64(i), Headers: []graph.Header{{Key: graph.HeaderStamp, Value: stamp.Append(nil)}}}})
		step(t, x)
		o := x.Time().Operators[0]
		if heard() != c.heard || o.Hold.Upstream != c.hold || ms(o.Arrived.Watermark) != c.merge {
			t.Errorf("after message %d: %s, held by %d, at %s; want %+v", i, heard(), o.Hold.Upstream, ms(o.Arrived.Watermark), c)
		}
	}
}

// behindRepartition is the task behind a GroupBy.
func behindRepartition(t *testing.T) task.Config {
	t.Helper()
	b := stream.New("test")
	by := stream.GroupBy("by", stream.From(b, left), func(_, v string) string { return v }, serde.String, serde.String)
	stream.To(stream.CountWindows("first", stream.Window(by, windowing.Tumbling(time.Second))).Results, perSecond)
	topology, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	sub := topology.Bind("app").Subtopologies()[1]
	cfg := task.Config{ApplicationID: "app", ID: task.ID{Subtopology: 1}, Subtopology: sub, Partition: partitioner.New(), Partitions: map[string]int32{"out": 1}}
	cfg.Inputs = []task.Input{{Topic: sub.Sources[0], Watermark: math.MinInt64, End: math.MaxInt64}}
	cfg.Stores, err = state.NewMemory().Open("1_0", state.Identity{ApplicationID: "app", Task: "1_0"}, sub.Stores)
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

// TestTimeTellsOfSilence: since when nothing has come, and what the source's
// rule makes of it.
func TestTimeTellsOfSilence(t *testing.T) {
	followed := newTask(t, config(t, idle))
	ruleless := newTask(t, config(t, merged))
	const began = 1_000_000
	for _, now := range []int64{began, began + 7000} {
		for _, x := range []*task.Task{followed, ruleless} {
			if err := x.Tick(now); err != nil {
				t.Fatal(err)
			}
			if x.WantsEnd(0) {
				if err := x.AtEnd(0, 0, moment(now)); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	if in := ruleless.Time().Inputs[0]; in.Silent != 7*time.Second || !in.Ruleless || in.Runs {
		t.Errorf("without a rule: %+v", in)
	}
	if in := followed.Time().Inputs[0]; in.Silent != 7*time.Second || in.Ruleless || !in.Runs {
		t.Errorf("by the clock: %+v", in)
	}
	feed(t, ruleless, 0, messages(0, "a"))
	step(t, ruleless)
	if err := ruleless.Tick(began + 8000); err != nil {
		t.Fatal(err)
	}
	if in := ruleless.Time().Inputs[0]; in.Silent != 0 {
		t.Errorf("something has come: %+v", in)
	}
}

// TestWhatTellsTheTimeHasOneThatItsTopicTakes: completeness records and the control
// records of a repartition topic. The time that they tell is in the record.
func TestWhatTellsTheTimeHasOneThatItsTopicTakes(t *testing.T) {
	const hour = 3_600_000
	for name, c := range map[string]struct {
		limits graph.Limits
		at     int64
	}{
		"ahead":  {graph.Limits{MaxBytes: 1000, Before: graph.NoBound, After: hour}, letterNow + 2*hour},
		"behind": {graph.Limits{MaxBytes: 1000, Before: hour, After: graph.NoBound}, letterNow - 2*hour},
	} {
		sent := map[string]int{}
		for _, build := range []func(*stream.Builder){
			func(b *stream.Builder) {
				stream.To(stream.From(b, left), out, stream.ClampTime(), stream.Completeness())
			},
			func(b *stream.Builder) {
				b.SkipErrors() // the record itself is refused, for its time is to stay
				stream.Repartition("by", stream.From(b, left), serde.String, serde.String)
			},
		} {
			cfg := config(t, build)
			cfg.Partitions["out.watermarks"], cfg.Partitions["by"] = 1, 2
			cfg.Limits = map[string]*graph.Limits{"out": &c.limits, "out.watermarks": &c.limits, "by": &c.limits}
			x := newTask(t, cfg)
			feed(t, x, 0, []graph.Message{{Key: []byte("k"), Value: []byte("v"), Timestamp: c.at}})
			if _, err := x.Step(letterNow, 1); err != nil {
				t.Fatal(err)
			}
			for _, o := range prepare(t, x).Outputs {
				if sent[o.Topic]++; !c.limits.Takes(&o, letterNow) {
					t.Errorf("%s: topic %q does not take the time %d", name, o.Topic, o.Timestamp)
				}
				if o.Topic == "out.watermarks" && string(o.Value) != strconv.FormatInt(c.at, 10) {
					t.Errorf("%s: complete up to %s", name, o.Value)
				}
			}
		}
		if sent["out"] != 1 || sent["out.watermarks"] != 1 || sent["by"] != 2 {
			t.Errorf("%s: sent %v", name, sent)
		}
	}
}

// TestACompletenessTopicThatTakesNothing is told, with what to do: nothing can be
// left out of what it is to have.
func TestACompletenessTopicThatTakesNothing(t *testing.T) {
	cfg := config(t, func(b *stream.Builder) {
		b.SkipErrors()
		stream.To(stream.From(b, left), out, stream.Completeness())
	})
	cfg.Partitions["out.watermarks"] = 1
	cfg.Limits = map[string]*graph.Limits{"out.watermarks": {MaxBytes: 50, Before: graph.NoBound, After: graph.NoBound}}
	x := newTask(t, cfg)
	feed(t, x, 0, messages(0, "v"))
	step(t, x)
	if _, err := x.Prepare(); err == nil || !strings.Contains(err.Error(), `topic "out.watermarks"`) || !strings.Contains(err.Error(), "max.message.bytes") {
		t.Errorf("the error is %v", err)
	}
}
