package task_test

import (
	"math"
	"testing"
	"time"

	"github.com/millrace/millrace/processor/internal/graph"
	"github.com/millrace/millrace/processor/stream"
	"github.com/millrace/millrace/windowing"
)

func drifting(b *stream.Builder) {
	in := stream.From(b, left, stream.Watermark(windowing.Ascending().MaxDrift(30*time.Millisecond)))
	stream.To(in, out)
}

func TestAPartitionThatRunsAheadIsHeldBack(t *testing.T) {
	x := newTask(t, config(t, drifting))
	feed(t, x, 0, messages(0, "0", "10", "20", "30", "40", "50"))
	x.Align(10) // the slowest is at 10, so this one may get to 40
	step(t, x)
	if at := x.Position(0); at != 6 { // the record at 50 is the first that is beyond, and is taken
		t.Errorf("position %d", at)
	}
	feed(t, x, 0, messages(6, "60"))
	if step(t, x); x.Queued(0) != 1 {
		t.Error("a record was taken although the time is beyond the bound")
	}
	x.Align(math.MaxInt64) // nobody else has anything
	if step(t, x); x.Queued(0) != 0 {
		t.Errorf("%d records still held", x.Queued(0))
	}
}

// idle counts in windows of 100 ms; a partition is idle after 50 ms at its end.
func idle(b *stream.Builder) {
	rule := windowing.Ascending().Idle(50 * time.Millisecond).FollowClock(20 * time.Millisecond)
	in := stream.From(b, left, stream.Watermark(rule))
	w := windowing.Tumbling(100 * time.Millisecond).Emit(windowing.OnClose)
	counted := stream.CountWindows("w", stream.Window(stream.GroupByKey(in), w))
	stream.To(stream.MapValues(counted.Results, func(int64) string { return "closed" }), stream.Topic[windowing.Key[string], string]{
		Name: "out", Key: windowing.KeySerde(out.Key, 100*time.Millisecond), Value: out.Value,
	})
}

func TestIdleIsProvedAndThenTimeGoesOn(t *testing.T) {
	x := newTask(t, config(t, idle))
	feed(t, x, 0, []graph.Message{{Key: []byte("k"), Value: []byte("v"), Timestamp: 1000}})
	at := func(now int64, end int64) {
		t.Helper()
		if x.WantsEnd(0) {
			if err := x.AtEnd(0, end, moment(now)); err != nil {
				t.Fatal(err)
			}
		}
		if err := x.Tick(now); err != nil {
			t.Fatal(err)
		}
	}
	at(900_000, 1) // something waits: nobody may say it is idle
	step(t, x)
	for now := int64(1_000_000); now < 1_000_300; now += 10 {
		at(now, 2) // the broker has more: behind, not idle
	}
	if c := prepare(t, x); len(c.Outputs) != 0 {
		t.Fatal("the time went on although the partition was behind")
	}
	if err := x.Committed([]int64{2}, 0); err != nil {
		t.Fatal(err)
	}
	at(2_000_000, 1)
	at(2_000_049, 1)
	if c := prepare(t, x); len(c.Outputs) != 0 {
		t.Fatal("idle before its time")
	}
	if err := x.Committed([]int64{2}, 0); err != nil {
		t.Fatal(err)
	}
	at(2_000_050, 1)
	c := prepare(t, x)
	if got := values(c, "out"); got != "closed" {
		t.Errorf("got %q", got)
	}
	if w := c.Offsets[0].Watermark; w != 2_000_030 {
		t.Errorf("the watermark is %d: not the wall clock less 20 ms", w)
	}
}

// TestTimeGoesNoFurtherThanIsProved: as long as nobody has asked the broker, what
// came meanwhile may be on time.
func TestTimeGoesNoFurtherThanIsProved(t *testing.T) {
	x := newTask(t, config(t, idle))
	for _, now := range []int64{2_000_000, 2_000_050} {
		if err := x.AtEnd(0, 0, moment(now)); err != nil {
			t.Fatal(err)
		}
	}
	if err := x.Tick(2_010_000); err != nil {
		t.Fatal(err)
	}
	if w := x.Time().Inputs[0].Watermark; w != 2_000_030 {
		t.Errorf("the watermark is %d, not 20 ms less than what was proved", w)
	}
	if err := x.AtEnd(0, 0, moment(2_010_000)); err != nil {
		t.Fatal(err)
	}
	if w := x.Time().Inputs[0].Watermark; w != 2_009_980 {
		t.Errorf("asked again, the watermark is %d", w)
	}
}

// lagging is a generator: the watermark is the time of the record before.
type lagging struct{ before windowing.EventTime }

func (l *lagging) Observe(ts windowing.EventTime) windowing.EventTime {
	w := l.before
	l.before = ts
	return w
}

func TestAGeneratorTellsTheWatermark(t *testing.T) {
	rule := windowing.Generated(func(restored windowing.EventTime) windowing.Generator { return &lagging{restored} })
	x := newTask(t, config(t, func(b *stream.Builder) { stream.To(stream.From(b, left, stream.Watermark(rule)), out) }))
	feed(t, x, 0, messages(0, "a", "b", "c"))
	step(t, x)
	if w := prepare(t, x).Offsets[0].Watermark; w != 10 {
		t.Errorf("the watermark is %d, not the time of the record before the last", w)
	}
}
