package stream_test

import (
	"errors"
	"fmt"
	"iter"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace/processor/processortest"
	"github.com/millrace/millrace/processor/stream"
	"github.com/millrace/millrace/schemaregistry/serde"
	"github.com/millrace/millrace/windowing"
)

var (
	numbers = stream.Topic[string, int64]{Name: "numbers", Key: serde.String, Value: serde.Int64}
	others  = stream.Topic[string, int64]{Name: "others", Key: serde.String, Value: serde.Int64}
	results = stream.Topic[string, int64]{Name: "results", Key: serde.String, Value: serde.Int64}
	small   = stream.Topic[string, int64]{Name: "small", Key: serde.String, Value: serde.Int64}
	texts   = stream.Topic[string, string]{Name: "texts", Key: serde.String, Value: serde.String}
	windows = stream.Topic[windowing.Key[string], int64]{Name: "windows", Key: windowing.KeySerde(serde.String, time.Minute), Value: serde.Int64}
	late    = stream.Topic[string, int64]{Name: "late", Key: serde.String, Value: serde.Int64}
	dead    = stream.Topic[[]byte, []byte]{Name: "dead", Key: serde.Bytes, Value: serde.Bytes}
)

var start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func at(seconds int) time.Time { return start.Add(time.Duration(seconds) * time.Second) }

// brief renders records as key=value@seconds.
func brief[V any](records []processortest.Record[string, V]) string {
	var parts []string
	for _, r := range records {
		parts = append(parts, fmt.Sprintf("%s=%v@%d", r.Key, r.Value, int(r.Time.Sub(start).Seconds())))
	}
	return strings.Join(parts, " ")
}

func expect(t *testing.T, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestStatelessOperators(t *testing.T) {
	cases := []struct {
		name  string
		build func(stream.Stream[string, int64]) stream.Stream[string, int64]
		want  string
	}{
		{"filter", func(s stream.Stream[string, int64]) stream.Stream[string, int64] {
			return s.Filter(func(_ string, v int64) bool { return v%2 == 0 })
		}, "a=2@1 b=4@3"},
		{"try filter", func(s stream.Stream[string, int64]) stream.Stream[string, int64] {
			return s.TryFilter(func(c *stream.Context, r *stream.Record[string, int64]) (bool, error) {
				o, ok := c.Origin()
				return ok && o.Offset > 1 && r.Value > 0, nil
			})
		}, "a=3@2 b=4@3"},
		{"map values", func(s stream.Stream[string, int64]) stream.Stream[string, int64] {
			return stream.MapValues(s, func(v int64) int64 { return v * 10 })
		}, "a=10@0 a=20@1 a=30@2 b=40@3"},
		{"map", func(s stream.Stream[string, int64]) stream.Stream[string, int64] {
			return stream.Map(s, func(k string, v int64) (string, int64) { return k + k, -v })
		}, "aa=-1@0 aa=-2@1 aa=-3@2 bb=-4@3"},
		{"flat map values", func(s stream.Stream[string, int64]) stream.Stream[string, int64] {
			return stream.FlatMapValues(s, func(v int64) iter.Seq[int64] { return slices.Values(make([]int64, v-2*(v/2))) })
		}, "a=0@0 a=0@2"},
		{"branch and merge", func(s stream.Stream[string, int64]) stream.Stream[string, int64] {
			b := s.Branch(func(_ string, v int64) bool { return v < 2 }, func(_ string, v int64) bool { return v < 4 })
			return stream.MapValues(b[0], func(v int64) int64 { return v + 100 }).Merge(b[2])
		}, "a=101@0 b=4@3"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			d := processortest.New(t, func(b *stream.Builder) { stream.To(c.build(stream.From(b, numbers)), results) })
			in, out := processortest.Input(d, numbers), processortest.Output(d, results)
			for i, key := range []string{"a", "a", "a", "b"} {
				in.Put(at(i), key, int64(i+1))
			}
			out.Empty()
			d.Commit()
			expect(t, brief(out.Drain()), c.want)
		})
	}
}

func TestPeekSeesEveryRecord(t *testing.T) {
	var seen []int64
	d := processortest.New(t, func(b *stream.Builder) {
		stream.To(stream.From(b, numbers).Peek(func(r *stream.Record[string, int64]) { seen = append(seen, r.Value) }), results)
	})
	in := processortest.Input(d, numbers)
	in.Put(at(0), "a", 1)
	in.Put(at(1), "a", 2)
	if !slices.Equal(seen, []int64{1, 2}) {
		t.Errorf("seen %v", seen)
	}
}

func TestMergeTakesTheLowestTimeFirst(t *testing.T) {
	d := processortest.New(t, func(b *stream.Builder) {
		stream.To(stream.From(b, numbers).Merge(stream.From(b, others)), results)
	})
	processortest.Input(d, numbers).Put(at(0), "a", 1)
	processortest.Input(d, others).Put(at(1), "b", 2)
	processortest.Input(d, numbers).Put(at(2), "c", 3)
	d.Commit()
	expect(t, brief(processortest.Output(d, results).Drain()), "a=1@0 b=2@1 c=3@2")
}

func TestTables(t *testing.T) {
	sum := stream.Aggregator[string, int64, int64]{
		Zero: func() int64 { return 1000 }, Add: func(_ string, v, acc int64) int64 { return acc + v }, State: serde.Int64,
	}
	cases := []struct {
		name  string
		build func(stream.Grouped[string, int64]) stream.Table[string, int64]
		want  string
	}{
		{"count at commit", func(g stream.Grouped[string, int64]) stream.Table[string, int64] {
			return stream.Count("t", g)
		}, "a=3@5 b=1@2"},
		{"count each update", func(g stream.Grouped[string, int64]) stream.Table[string, int64] {
			return stream.Count("t", g, stream.Emit(windowing.OnUpdate))
		}, "a=1@0 a=2@5 b=1@2 a=3@5"},
		{"reduce", func(g stream.Grouped[string, int64]) stream.Table[string, int64] {
			return stream.Reduce("t", g, func(acc, v int64) int64 { return max(acc, v) }, serde.Int64)
		}, "a=4@5 b=3@2"},
		{"aggregate", func(g stream.Grouped[string, int64]) stream.Table[string, int64] {
			return stream.Aggregate("t", g, sum)
		}, "a=1007@5 b=1003@2"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			d := processortest.New(t, func(b *stream.Builder) {
				stream.To(c.build(stream.GroupByKey(stream.From(b, numbers))).Changes(), results)
			})
			in := processortest.Input(d, numbers)
			for i, r := range []struct {
				key string
				sec int
			}{{"a", 0}, {"a", 5}, {"b", 2}, {"a", 1}} {
				in.Put(at(r.sec), r.key, int64(i+1))
			}
			d.Commit()
			expect(t, brief(processortest.Output(d, results).Drain()), c.want)
		})
	}
}

func countPerMinute(emit windowing.Emit) func(b *stream.Builder) {
	return func(b *stream.Builder) {
		in := stream.From(b, numbers, stream.Watermark(windowing.Bounded(10*time.Second)))
		w := windowing.Tumbling(time.Minute).Grace(20 * time.Second).Emit(emit)
		counted := stream.CountWindows("per-minute", stream.Window(stream.GroupByKey(in), w))
		stream.To(counted.Results, windows)
		stream.To(counted.Late, late)
	}
}

func briefWindows(records []processortest.Record[windowing.Key[string], int64]) string {
	var parts []string
	for _, r := range records {
		parts = append(parts, fmt.Sprintf("%s[%d,%d)=%d@%d", r.Key.Key, secs(r.Key.Window.Start), secs(r.Key.Window.End), r.Value, r.Time.Sub(start).Milliseconds()))
	}
	return strings.Join(parts, " ")
}

func secs(e windowing.EventTime) int64 { return (int64(e) - start.UnixMilli()) / 1000 }

func TestWindowsCloseAndDivertLateRecords(t *testing.T) {
	d := processortest.New(t, countPerMinute(windowing.OnClose))
	in, out, lates := processortest.Input(d, numbers), processortest.Output(d, windows), processortest.Output(d, late)
	in.Put(at(10), "b", 1)
	in.Put(at(50), "a", 1)
	in.Put(at(89), "a", 1) // watermark 79
	in.Put(at(20), "a", 1) // out of order, the window is open
	d.Commit()
	out.Empty()
	in.Put(at(90), "a", 1) // watermark 80 = end 60 + grace 20: closed
	d.Commit()
	expect(t, briefWindows(out.Drain()), "a[0,60)=2@59999 b[0,60)=1@59999")
	in.Put(at(30), "a", 7)
	d.Commit()
	out.Empty()
	got := lates.Drain()
	expect(t, brief(got), "a=7@30")
	headers := map[string]string{}
	for _, h := range got[0].Headers {
		headers[h.Key] = string(h.Value)
	}
	for key, sec := range map[string]int{stream.HeaderLateWindowStart: 0, stream.HeaderLateWindowEnd: 60, stream.HeaderLateWatermark: 80} {
		if want := fmt.Sprint(at(sec).UnixMilli()); headers[key] != want {
			t.Errorf("header %s is %q, want %s", key, headers[key], want)
		}
	}
	if n := d.Dropped(stream.Late); n != 1 {
		t.Errorf("%d late", n)
	}
}

func TestWindowsSendUpdates(t *testing.T) {
	for _, c := range []struct {
		emit windowing.Emit
		want string
	}{
		{windowing.OnCommit, "a[0,60)=2@50000 b[0,60)=1@30000"},
		{windowing.OnUpdate, "a[0,60)=1@50000 a[0,60)=2@50000 b[0,60)=1@30000"},
	} {
		d := processortest.New(t, countPerMinute(c.emit))
		in := processortest.Input(d, numbers)
		in.Put(at(50), "a", 1)
		in.Put(at(20), "a", 1)
		in.Put(at(30), "b", 1)
		d.Commit()
		expect(t, briefWindows(processortest.Output(d, windows).Drain()), c.want)
	}
}

func TestEveryFaultLeavesTheSameResults(t *testing.T) {
	for _, emit := range []windowing.Emit{windowing.OnClose, windowing.OnCommit} {
		processortest.CheckExactlyOnce(t, countPerMinute(emit), func(d *processortest.Driver) {
			in := processortest.Input(d, numbers)
			for i := range 600 {
				in.Put(at(i-(i*7919)%45), fmt.Sprintf("k%d", i%7), int64(i))
			}
			d.AdvanceTo(at(1000))
		}, processortest.Partitions(3))
	}
}

func TestChainedWindowsLoseNothing(t *testing.T) {
	hours := stream.Topic[windowing.Key[windowing.Key[string]], int64]{Name: "hours",
		Key: windowing.KeySerde(windowing.KeySerde(serde.String, time.Minute), 5*time.Minute), Value: serde.Int64}
	d := processortest.New(t, func(b *stream.Builder) {
		w := windowing.Tumbling(time.Minute).Emit(windowing.OnClose)
		minutes := stream.CountWindows("minutes", stream.Window(stream.GroupByKey(stream.From(b, numbers)), w))
		w5 := windowing.Tumbling(5 * time.Minute).Emit(windowing.OnClose)
		five := stream.ReduceWindows("five", stream.Window(stream.GroupByKey(minutes.Results), w5), func(a, v int64) int64 { return a + v }, serde.Int64)
		stream.To(five.Results, hours)
	})
	in := processortest.Input(d, numbers)
	for i := range 900 {
		in.Put(at(i), "a", 1)
	}
	d.AdvanceTo(at(2000))
	d.Commit()
	var sum int64
	for _, r := range processortest.Output(d, hours).Drain() {
		sum += r.Value
	}
	if sum != 900 || d.Dropped(stream.Late) != 0 {
		t.Errorf("the second windows hold %d of 900 records, %d late", sum, d.Dropped(stream.Late))
	}
}

var errOdd = errors.New("odd")

func refuseOdd(_ *stream.Context, r *stream.Record[string, int64]) (int64, error) {
	if r.Value%2 == 1 {
		return 0, errOdd
	}
	return r.Value, nil
}

func TestFailedRecordsGoToTheDeadLetterTopic(t *testing.T) {
	d := processortest.New(t, func(b *stream.Builder) {
		b.DeadLetter(dead.Name, stream.NullKey, stream.NullValue)
		in := stream.From(b, numbers)
		stream.To(stream.MapValues(in, func(v int64) int64 { return -v }), small)
		stream.To(stream.Count("t", stream.GroupByKey(stream.TryMapValues(in, refuseOdd))).Changes(), results)
	})
	in, out, first, letters := processortest.Input(d, numbers), processortest.Output(d, results), processortest.Output(d, small), processortest.Output(d, dead)
	in.Put(at(0), "a", 2)
	in.Put(at(1), "a", 3) // fails after the other branch has sent
	in.PutRaw(at(2), []byte("a"), []byte("short"))
	in.PutRaw(at(3), []byte("a"), nil)
	in.PutRaw(at(4), nil, []byte{0, 0, 0, 0, 0, 0, 0, 8})
	in.Put(at(5), "a", 4)
	d.Commit()
	expect(t, brief(out.Drain()), "a=2@5")
	expect(t, brief(first.Drain()), "a=-2@0 =-8@4 a=-4@5") // nothing of the record that failed is left
	var reasons []string
	for _, r := range letters.Drain() {
		for _, h := range r.Headers {
			switch h.Key {
			case "__millrace.errors.reason", "__streams.errors.offset":
				reasons = append(reasons, string(h.Value))
			}
		}
	}
	expect(t, strings.Join(reasons, " "), "1 process 2 decode 3 null_value 4 null_key")
}

func TestBadTimesAreDropped(t *testing.T) {
	d := processortest.New(t, func(b *stream.Builder) { stream.To(stream.From(b, numbers), results) }, processortest.WallClock(at(0)))
	in := processortest.Input(d, numbers)
	in.Put(at(0), "a", 1)
	in.Put(time.UnixMilli(-1), "a", 2)
	in.Put(time.Date(2085, 1, 1, 0, 0, 0, 0, time.UTC), "a", 3)
	in.Put(time.UnixMilli(math.MaxInt64), "a", 4)
	in.Put(at(1), "a", 5)
	d.Commit()
	expect(t, brief(processortest.Output(d, results).Drain()), "a=1@0 a=5@1")
	if d.Dropped(stream.NoTimestamp) != 1 || d.Dropped(stream.Future) != 2 {
		t.Errorf("no timestamp %d, future %d", d.Dropped(stream.NoTimestamp), d.Dropped(stream.Future))
	}
}

// TestATimeInAWrongUnitIsOfTheFuture: in milliseconds the first would wrap to
// 1970, the second to before it.
func TestATimeInAWrongUnitIsOfTheFuture(t *testing.T) {
	timed := numbers
	timed.EventTime = func(r *stream.Record[string, int64]) time.Time { return time.Unix(r.Value, 0) }
	d := processortest.New(t, func(b *stream.Builder) { stream.To(stream.From(b, timed), results) }, processortest.WallClock(at(0)))
	in := processortest.Input(d, timed)
	in.Put(at(0), "a", 18446744073709552)
	in.Put(at(0), "a", 9223372036854776)
	d.Commit()
	processortest.Output(d, results).Empty()
	if d.Dropped(stream.NoTimestamp) != 0 || d.Dropped(stream.Future) != 2 {
		t.Errorf("no timestamp %d, future %d", d.Dropped(stream.NoTimestamp), d.Dropped(stream.Future))
	}
}

// TestWhatNoRecordIsToBlameForStopsTheTask: no error policy covers what fails as
// a window closes or at a commit, and the error says so.
func TestWhatNoRecordIsToBlameForStopsTheTask(t *testing.T) {
	for operator, counts := range map[string]func(stream.Grouped[string, int64]){
		"closed": func(g stream.Grouped[string, int64]) {
			w := stream.CountWindows("closed", stream.Window(g, windowing.Tumbling(time.Minute).Emit(windowing.OnClose)))
			stream.TryMapValues(w.Results, func(*stream.Context, *stream.Record[windowing.Key[string], int64]) (int64, error) { return 0, errOdd }, stream.Name("picky"))
		},
		"counted": func(g stream.Grouped[string, int64]) {
			stream.TryMapValues(stream.Count("counted", g).Changes(), refuseOdd, stream.Name("picky"))
		},
	} {
		t.Run(operator, func(t *testing.T) {
			defer func() {
				text, _ := recover().(fataled)
				for _, want := range []string{"operator \"" + operator + "\", while emitting", "odd", "the error policy does not cover it", "correct operator \"picky\""} {
					if !strings.Contains(string(text), want) {
						t.Errorf("the error does not say %s: %s", want, text)
					}
				}
			}()
			d := processortest.New(fatal{t}, func(b *stream.Builder) {
				b.SkipErrors()
				counts(stream.GroupByKey(stream.From(b, numbers)))
			})
			processortest.Input(d, numbers).Put(at(0), "a", 1)
			d.AdvanceTo(at(60))
			d.Commit()
		})
	}
}

func TestBuildReportsEveryMistake(t *testing.T) {
	b := stream.New("wrong")
	in := stream.From(b, numbers)
	stream.From(b, numbers)
	swapped := stream.Map(in, func(k string, v int64) (int64, string) { return v, k }, stream.Name("swap"))
	stream.Count("same", stream.GroupByKey(swapped))
	stream.Count("same", stream.GroupByKey(in))
	stream.Count("not legal!", stream.GroupByKey(in))
	stream.Count("never", stream.GroupByKey(in), stream.Emit(windowing.OnClose))
	stream.Window(stream.GroupByKey(in), windowing.Tumbling(0))
	stream.To(in, stream.Topic[string, int64]{Name: "bare"})
	_, err := b.Build()
	for _, want := range []string{`"swap"`, `"numbers" is read by two sources`, `"same" is used by two`, "not legal!", `"never"`, "window", `"bare"`} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("the error does not mention %s: %v", want, err)
		}
	}
}

func TestDescribeIsStable(t *testing.T) {
	d := processortest.New(t, countPerMinute(windowing.OnClose))
	expect(t, d.Describe(), `Topology: TestDescribeIsStable
  Sub-topology: 0
    Source: source:numbers (topic: numbers)
      --> per-minute
    Operator: per-minute (store: per-minute, window)
      --> sink:windows
      --> sink:late
    Sink: sink:windows (topic: windows)
    Sink: sink:late (topic: late)
`)
}

// TestATableHoldsTheTimeUntilItsCommit: what an OnCommit table sends at a commit
// is on time behind it, live and at the end of a run.
func TestATableHoldsTheTimeUntilItsCommit(t *testing.T) {
	d := processortest.New(t, func(b *stream.Builder) {
		counts := stream.Count("counts", stream.GroupByKey(stream.From(b, numbers)))
		w := windowing.Tumbling(time.Minute).Emit(windowing.OnClose)
		stream.To(stream.CountWindows("w", stream.Window(stream.GroupByKey(stream.EachUpdate(counts.Changes())), w)).Results, windows)
	})
	in, out := processortest.Input(d, numbers), processortest.Output(d, windows)
	in.Put(at(0), "a", 1)
	in.Put(at(70), "b", 1)
	d.Commit()
	expect(t, briefWindows(out.Drain()), "a[0,60)=1@59999")
	if n := d.Dropped(stream.Late); n != 0 {
		t.Errorf("%d late", n)
	}
}
