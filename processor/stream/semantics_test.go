package stream_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/millrace/millrace/processor/processortest"
	"github.com/millrace/millrace/processor/stream"
	"github.com/millrace/millrace/schemaregistry/serde"
	"github.com/millrace/millrace/windowing"
)

// What SEMANTICS.md says that shows only in a whole application.

// runOf runs the counts of windows over records of a at these times in ms, each
// committed, and returns what came of each.
func runOf(t *testing.T, w windowing.Definition, rule windowing.Watermarks, times ...int64) (d *processortest.Driver, all [][]processortest.Record[windowKey, int64]) {
	t.Helper()
	topic := stream.Topic[windowKey, int64]{Name: "counts", Value: serde.Int64}
	d = processortest.New(t, func(b *stream.Builder) {
		in := stream.From(b, numbers, stream.Watermark(rule))
		stream.To(stream.CountWindows("c", stream.Window(stream.GroupByKey(in), w)).Results, topic)
	})
	out := processortest.Output(d, topic)
	for _, ts := range times {
		processortest.Input(d, numbers).Put(time.UnixMilli(ts), "a", 1)
		d.Commit()
		all = append(all, out.Drain())
	}
	d.AdvanceTo(time.UnixMilli(1_000_000_000))
	d.Commit()
	return d, append(all, out.Drain())
}

// TestTimesBefore1970: records have none, windows may reach there, results never
// carry one. A watermark may be there.
func TestTimesBefore1970(t *testing.T) {
	d, all := runOf(t, windowing.Tumbling(time.Second), windowing.Bounded(time.Second), -1, -1_000_000, 0)
	if n := d.Dropped(stream.NoTimestamp); n != 2 || len(all[2]) != 1 || all[2][0].Value != 1 {
		t.Errorf("%d dropped, then %v", n, all)
	}
	const day = 24 * time.Hour
	for name, base := range map[string]windowing.Windows{
		"offset":     windowing.Tumbling(10 * time.Second).Offset(-7 * time.Second), // [-7,3), [3,13)
		"week":       windowing.Calendar(windowing.Week, time.UTC),                  // Monday, 29 December 1969
		"day":        windowing.Calendar(windowing.Day, time.FixedZone("", -3600)),
		"unlimited":  windowing.Unlimited(-50_000),
		"cumulative": windowing.Cumulative(time.Second, 10*time.Second).Offset(-7 * time.Second),
	} {
		for emission, w := range map[string]windowing.Windows{
			"on commit": base, "on update": base.Emit(windowing.OnUpdate), "on close": base.Emit(windowing.OnClose), "on time": base.Emit(windowing.OnTime).Grace(day),
			"early": base.Emit(windowing.OnClose).Early(5 * time.Second),
		} {
			_, all := runOf(t, w, windowing.Bounded(8*time.Second), 0, 1000, 2000)
			sent, before := 0, false
			for _, records := range all {
				for _, r := range records {
					sent++
					before = before || r.Key.Window.Start < 0
					if r.Time.UnixMilli() < 0 {
						t.Errorf("%s, %s: window %v has a result at %d", name, emission, r.Key.Window, r.Time.UnixMilli())
					}
				}
			}
			if never := name == "unlimited" && (emission == "on close" || emission == "on time"); !never && (sent == 0 || !before) {
				t.Errorf("%s, %s: %d results, a window from before 1970: %v", name, emission, sent, before)
			}
		}
	}
}

// TestTimeItselfMayBeBefore1970: a watermark by its bound, and what is said of a
// topic; the bounds that a late record names.
func TestTimeItselfMayBeBefore1970(t *testing.T) {
	d := processortest.New(t, func(b *stream.Builder) {
		in := stream.From(b, numbers, stream.Watermark(windowing.Bounded(8*time.Second)))
		stream.To(in, results, stream.Completeness())
		stream.To(stream.CountWindows("c", stream.Window(stream.GroupByKey(in), windowing.Tumbling(10*time.Second).Offset(-7*time.Second))).Late, late)
	})
	in := processortest.Input(d, numbers)
	in.Put(time.UnixMilli(1000), "a", 1)
	d.Commit()
	said := processortest.Output(d, stream.Topic[string, string]{Name: "results.watermarks", Key: serde.String, Value: serde.String}).Drain()
	if len(said) != 1 || said[0].Value != "-7000" || said[0].Time.UnixMilli() != 0 {
		t.Errorf("said %+v", said)
	}
	in.Put(time.UnixMilli(11_000), "a", 1)
	in.Put(time.UnixMilli(2000), "a", 1)
	d.Commit()
	got := processortest.Output(d, late).Drain()
	if len(got) != 1 || string(got[0].Headers[0].Value) != "-7000" {
		t.Errorf("late: %+v", got)
	}
}

// TestTheFirstEarlyResult comes with the first watermark: it passes the multiple
// at or before it.
func TestTheFirstEarlyResult(t *testing.T) {
	const second = time.Second
	for _, c := range []struct {
		name  string
		w     windowing.Definition
		rule  windowing.Watermarks
		times []int64
		want  []string // value@ms of each step
	}{
		{"aligned", windowing.Tumbling(100 * second).Emit(windowing.OnClose).Early(20 * second), windowing.Ascending(),
			[]int64{205_000, 206_000, 219_000, 221_000}, []string{"1@200000", "", "", "4@220000"}},
		{"in the middle of a window", windowing.Tumbling(100 * second).Emit(windowing.OnClose).Early(20 * second), windowing.Ascending(),
			[]int64{250_000, 251_000}, []string{"1@240000", ""}},
		{"with disorder, before the window", windowing.Tumbling(100 * second).Emit(windowing.OnClose).Early(20 * second), windowing.Bounded(30 * second),
			[]int64{205_000, 209_000, 210_000}, []string{"1@200000", "", "3@200000"}},
		{"sliding", windowing.Sliding(100 * second).Emit(windowing.OnClose).Early(20 * second), windowing.Ascending(),
			[]int64{205_000, 205_000}, []string{"1@200000", ""}},
		{"session", windowing.Session(100 * second).Emit(windowing.OnClose).Early(20 * second), windowing.Ascending(),
			[]int64{205_000, 206_000, 219_000}, []string{"1@205000", "", ""}},
	} {
		_, all := runOf(t, c.w, c.rule, c.times...)
		for i, want := range c.want {
			got := ""
			for _, r := range all[i] {
				got += fmt.Sprintf("%d@%d", r.Value, r.Time.UnixMilli())
			}
			if got != want {
				t.Errorf("%s: the record at %d sent %q, want %q", c.name, c.times[i], got, want)
			}
		}
	}
}

// TestKeysComeAsTheyFirstChanged since the last commit that stands: an abort
// forgets the order, the replay makes it anew, and what closes counts.
func TestKeysComeAsTheyFirstChanged(t *testing.T) {
	for fault, happens := range faults {
		d := processortest.New(t, func(b *stream.Builder) { stream.To(sessionsOf(b, windowing.OnCommit).Results, visits) })
		in, out := processortest.Input(d, numbers), processortest.Output(d, visits)
		in.Put(at(1), "b", 1)
		in.Put(at(2), "a", 1)
		in.Put(at(3), "b", 1) // b was first all the same
		happens(d)
		in.Put(at(4), "c", 1)
		d.Commit()
		expect(t, fault+": "+briefSessions(out.Drain()), fault+": b[1,3]=2@3 a[2,2]=1@2 c[4,4]=1@4")
		in.Put(at(5), "c", 1)
		happens(d)
		in.Put(at(6), "b", 1)
		d.Commit() // a new interval, a new order
		expect(t, fault+": "+briefSessions(out.Drain()), fault+": c[4,4]=gone@4 c[4,5]=2@5 b[1,3]=gone@3 b[1,6]=3@6")
		in.Put(at(18), "d", 1) // closes the session of a, which is a change of a
		in.Put(at(10), "c", 1)
		in.Put(at(17), "a", 1)
		d.Commit()
		expect(t, fault+": "+briefSessions(out.Drain()), fault+": d[18,18]=1@18 a[17,17]=1@17 c[4,5]=gone@5 c[4,10]=3@10")
	}
}
