package stream_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace/processor/processortest"
	"github.com/millrace/millrace/processor/stream"
	"github.com/millrace/millrace/schemaregistry/serde"
	"github.com/millrace/millrace/windowing"
)

// reckoned is a topic for results of windows that are not all of one size.
var reckoned = stream.Topic[windowing.Key[string], int64]{
	Name: "windows", Key: windowing.ResultKeySerde(serde.String, windowing.Definition(windowing.Unlimited(0))), Value: serde.Int64,
}

func counted(w windowing.Windows, out stream.Topic[windowing.Key[string], int64]) func(b *stream.Builder) {
	return func(b *stream.Builder) {
		in := stream.From(b, numbers, stream.Watermark(windowing.Bounded(10*time.Second)))
		results := stream.CountWindows("counts", stream.Window(stream.GroupByKey(in), w))
		stream.To(results.Results, out)
		stream.To(results.Late, late)
	}
}

func TestWindowsOfVaryingSizes(t *testing.T) {
	from := windowing.At(start)
	for _, c := range []struct {
		name string
		w    windowing.Windows
		want string
	}{
		{"cumulative", windowing.Cumulative(30*time.Second, time.Minute), "a[0,30)=1@29999 a[0,60)=2@59999 a[60,90)=1@89999 a[60,120)=1@119999"},
		{"calendar", windowing.Calendar(windowing.Day, time.FixedZone("", 90)).Offset(3 * time.Minute), ""},
		{"unlimited", windowing.Unlimited(from.Add(40 * time.Second)).Early(50 * time.Second), ""},
	} {
		d := processortest.New(t, counted(c.w.Emit(windowing.OnClose), reckoned))
		in, out := processortest.Input(d, numbers), processortest.Output(d, reckoned)
		in.Put(at(5), "a", 1)
		in.Put(at(50), "a", 1)
		in.Put(at(70), "a", 1)
		d.AdvanceTo(at(200))
		d.Commit()
		got := out.Drain()
		switch c.name {
		case "calendar":
			d.AdvanceTo(at(100_000))
			d.Commit()
			got = append(got, out.Drain()...)
			var sum int64
			for _, r := range got {
				sum += r.Value
				if size := r.Key.Window.End - r.Key.Window.Start; size != 86_400_000 {
					t.Errorf("a day of %d ms", size)
				}
			}
			if sum != 3 {
				t.Errorf("the days count %d records", sum)
			}
		case "unlimited":
			if len(got) == 0 || got[len(got)-1].Value != 2 || got[0].Key.Window.End != windowing.MaxTime {
				t.Errorf("%+v", got)
			}
			if n := d.Dropped(stream.Late); n != 1 {
				t.Errorf("%d records before the start", n)
			}
		default:
			expect(t, briefWindows(got), c.want)
		}
	}
}

func TestResultsOnTimeAndAgain(t *testing.T) {
	d := processortest.New(t, countPerMinute(windowing.OnTime))
	in, out := processortest.Input(d, numbers), processortest.Output(d, windows)
	in.Put(at(10), "a", 1)
	in.Put(at(71), "b", 1) // watermark 61
	d.Commit()
	expect(t, briefWindows(out.Drain()), "a[0,60)=1@59999")
	in.Put(at(20), "a", 1) // late, but the window is open
	d.Commit()
	expect(t, briefWindows(out.Drain()), "a[0,60)=2@59999")
	d.AdvanceTo(at(80))
	d.Commit()
	out.Empty()
}

// combined is a hopping aggregate, with panes or without.
func combined(combine func(acc, other int64) int64) func(b *stream.Builder) {
	return func(b *stream.Builder) {
		in := stream.From(b, numbers, stream.Watermark(windowing.Bounded(10*time.Second)))
		w := windowing.Hopping(time.Minute, 10*time.Second).Grace(20 * time.Second).Emit(windowing.OnClose)
		results := stream.AggregateWindows("highest", stream.Window(stream.GroupByKey(in), w), stream.Aggregator[string, int64, int64]{
			Add: func(_ string, v, acc int64) int64 { return max(v, acc) }, State: serde.Int64, Combine: combine,
		})
		stream.To(results.Results, windows)
		stream.To(results.Late, late)
	}
}

func scattered(d *processortest.Driver) {
	in := processortest.Input(d, numbers)
	for i := range 600 {
		in.Put(at(i-(i*7919)%95), fmt.Sprintf("k%d", i%7), int64(i)) // some partly late, some wholly
	}
	d.AdvanceTo(at(1000))
	d.Commit()
}

func TestPanesChangeNoResult(t *testing.T) {
	var with, without string
	for combine, to := range map[bool]*string{false: &without, true: &with} {
		var f func(acc, other int64) int64
		if combine {
			f = func(acc, other int64) int64 { return max(acc, other) }
		}
		d := processortest.New(t, combined(f))
		scattered(d)
		*to = briefWindows(processortest.Output(d, windows).Drain()) + " late " + brief(processortest.Output(d, late).Drain())
	}
	if with != without || len(with) < 1000 {
		t.Errorf("with panes\n%s\nwithout\n%s", with, without)
	}
}

func TestEveryFaultLeavesTheSameResultsOfPanes(t *testing.T) {
	build := combined(func(acc, other int64) int64 { return max(acc, other) })
	processortest.CheckExactlyOnce(t, build, scattered, processortest.Partitions(2))
	processortest.CheckExactlyOnce(t, countPerMinute(windowing.OnTime), scattered, processortest.Partitions(2))
}

// TestWindowsThatOverlapDoNotShareTheirFirstValue: it has room behind its end,
// and a reduction that appends would write into the same place for each.
func TestWindowsThatOverlapDoNotShareTheirFirstValue(t *testing.T) {
	lists := stream.Topic[windowing.Key[string], []string]{Name: "lists", Key: windowing.KeySerde(serde.String, 10*time.Second), Value: serde.JSON[[]string]()}
	d := processortest.New(t, func(b *stream.Builder) {
		roomy := func(v string) []string { return append(make([]string, 0, 8), strings.Fields(v)...) }
		g := stream.GroupByKey(stream.MapValues(stream.From(b, texts), roomy))
		w := windowing.Hopping(10*time.Second, 5*time.Second).Grace(10 * time.Second).Emit(windowing.OnClose)
		joined := func(acc, v []string) []string { return append(acc, v...) }
		stream.To(stream.ReduceWindows("joined", stream.Window(g, w), joined, lists.Value).Results, lists)
	})
	in := processortest.Input(d, texts)
	in.Put(at(7), "k", "a b c")
	in.Put(at(12), "k", "d")
	in.Put(at(8), "k", "e")
	d.AdvanceTo(at(100))
	d.Commit()
	var got []string
	for _, r := range processortest.Output(d, lists).Drain() {
		got = append(got, fmt.Sprintf("%d%v", secs(r.Key.Window.Start), r.Value))
	}
	expect(t, strings.Join(got, " "), "0[a b c e] 5[a b c d e] 10[d]")
}

func TestTablesHaveNoEnd(t *testing.T) {
	for _, emit := range []windowing.Emit{windowing.OnClose, windowing.OnTime} {
		b := stream.New("app")
		stream.Count("counts", stream.GroupByKey(stream.From(b, numbers)), stream.Emit(emit))
		if _, err := b.Build(); err == nil {
			t.Errorf("a table that is sent %v was built", emit)
		}
	}
}
