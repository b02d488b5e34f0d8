package stream_test

import (
	"fmt"
	"iter"
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
	visits = stream.Topic[windowing.Key[string], int64]{Name: "visits", Key: windowing.SessionKeySerde(serde.String), Value: serde.Int64}
	other  = stream.Topic[windowing.Key[string], int64]{Name: "other", Key: visits.Key, Value: serde.Int64}
	slides = stream.Topic[windowing.Key[string], int64]{Name: "slides", Key: windowing.KeySerde(serde.String, 20*time.Second), Value: serde.Int64}
)

// briefSessions renders records as key[first,last]=value@seconds.
func briefSessions(records []processortest.Record[windowing.Key[string], int64]) string {
	var parts []string
	for _, r := range records {
		value := fmt.Sprint(r.Value)
		if r.Tombstone {
			value = "gone"
		}
		parts = append(parts, fmt.Sprintf("%s[%d,%d]=%s@%d", r.Key.Key, secs(r.Key.Window.Start), secs(r.Key.Window.End), value, int(r.Time.Sub(start).Seconds())))
	}
	return strings.Join(parts, " ")
}

func sessionsOf(b *stream.Builder, emit windowing.Emit) stream.Windowed[string, int64, int64] {
	w := windowing.Session(10 * time.Second).Grace(5 * time.Second).Emit(emit)
	return stream.CountWindows("visits", stream.Window(stream.GroupByKey(stream.From(b, numbers)), w))
}

// twoVisits puts in two sessions of a that a third record makes one.
func twoVisits(d *processortest.Driver) {
	in := processortest.Input(d, numbers)
	in.Put(at(20), "a", 1)
	in.Put(at(31), "a", 1)
	in.Put(at(25), "a", 1)
}

func TestSessionsInEveryMode(t *testing.T) {
	cases := []struct {
		emit  windowing.Emit
		first string // after the first commit, which comes before the third record
		want  string
		end   string
	}{
		{windowing.OnUpdate, "a[20,20]=1@20 a[31,31]=1@31", "a[20,20]=gone@20 a[31,31]=gone@31 a[20,31]=3@31", ""},
		{windowing.OnCommit, "a[20,20]=1@20 a[31,31]=1@31", "a[20,20]=gone@20 a[31,31]=gone@31 a[20,31]=3@31", ""},
		{windowing.OnClose, "", "", "a[20,31]=3@31"},
	}
	for _, c := range cases {
		t.Run(c.emit.String(), func(t *testing.T) {
			d := processortest.New(t, func(b *stream.Builder) {
				counted := sessionsOf(b, c.emit)
				stream.To(counted.Results, visits)
				stream.To(counted.Late, late)
			})
			in, out := processortest.Input(d, numbers), processortest.Output(d, visits)
			in.Put(at(20), "a", 1)
			in.Put(at(31), "a", 1)
			d.Commit()
			expect(t, briefSessions(out.Drain()), c.first)
			in.Put(at(25), "a", 1)
			d.Commit()
			expect(t, briefSessions(out.Drain()), c.want)
			d.AdvanceTo(at(46))
			d.Commit()
			out.Empty()
			d.AdvanceTo(at(47))
			in.Put(at(31), "a", 9)
			d.Commit()
			expect(t, briefSessions(out.Drain()), c.end)
			gone := processortest.Output(d, late).Drain()
			expect(t, brief(gone), "a=9@31")
			for _, h := range gone[0].Headers {
				if h.Key == stream.HeaderLateWindowEnd && string(h.Value) != fmt.Sprint(at(31).UnixMilli()) {
					t.Errorf("the late session ends at %s", h.Value)
				}
			}
		})
	}
}

// TestTombstonesPassUnseen: no user function is shown a tombstone; each operator passes it on or counts it.
func TestTombstonesPassUnseen(t *testing.T) {
	type counts = stream.Stream[windowing.Key[string], int64]
	seen := func(v int64) int64 {
		if v == 0 {
			t.Error("a function was shown a tombstone")
		}
		return v
	}
	const merged = "a[20,20]=1@20 a[31,31]=1@31 a[20,20]=gone@20 a[31,31]=gone@31 a[20,31]=3@31"
	cases := []struct {
		name  string
		build func(counts) counts
		want  string
		drops int64
	}{
		{"map values", func(s counts) counts { return stream.MapValues(s, seen) }, merged, 0},
		{"try map values", func(s counts) counts {
			return stream.TryMapValues(s, func(_ *stream.Context, r *stream.Record[windowing.Key[string], int64]) (int64, error) {
				return seen(r.Value), nil
			})
		}, merged, 0},
		{"flat map values", func(s counts) counts {
			return stream.FlatMapValues(s, func(v int64) iter.Seq[int64] { return slices.Values([]int64{seen(v)}) })
		}, merged, 0},
		{"filter", func(s counts) counts {
			return s.Filter(func(_ windowing.Key[string], v int64) bool { return seen(v) > 1 })
		},
			"a[20,20]=gone@20 a[31,31]=gone@31 a[20,31]=3@31", 0},
		{"try filter", func(s counts) counts {
			return s.TryFilter(func(_ *stream.Context, r *stream.Record[windowing.Key[string], int64]) (bool, error) {
				return seen(r.Value) > 1, nil
			})
		}, "a[20,20]=gone@20 a[31,31]=gone@31 a[20,31]=3@31", 0},
		{"peek and merge", func(s counts) counts {
			return s.Peek(func(r *stream.Record[windowing.Key[string], int64]) { seen(r.Value) }).Merge(s.Filter(func(windowing.Key[string], int64) bool { return false }))
		}, "a[20,20]=1@20 a[31,31]=1@31 a[20,20]=gone@20 a[20,20]=gone@20 a[31,31]=gone@31 a[31,31]=gone@31 a[20,31]=3@31", 0},
		{"branch, first side", func(s counts) counts {
			return s.Branch(func(_ windowing.Key[string], v int64) bool { return seen(v) > 1 })[0]
		},
			"a[20,20]=gone@20 a[31,31]=gone@31 a[20,31]=3@31", 0},
		{"branch, the rest", func(s counts) counts {
			return s.Branch(func(_ windowing.Key[string], v int64) bool { return seen(v) > 1 })[1]
		},
			"a[20,20]=1@20 a[31,31]=1@31 a[20,20]=gone@20 a[31,31]=gone@31", 0},
		{"map", func(s counts) counts {
			return stream.Map(s, func(k windowing.Key[string], v int64) (windowing.Key[string], int64) { return k, seen(v) })
		}, "a[20,20]=1@20 a[31,31]=1@31 a[20,31]=3@31", 2},
		{"repartition", func(s counts) counts {
			return stream.Repartition("again", stream.EachUpdate(s), visits.Key, serde.Int64)
		},
			"a[20,20]=1@20 a[31,31]=1@31 a[20,31]=3@31", 2},
		{"table", func(s counts) counts {
			return stream.Reduce("largest", stream.GroupByKey(stream.EachUpdate(s)), func(a, v int64) int64 { return max(a, seen(v)) }, serde.Int64, stream.Emit(windowing.OnUpdate)).Changes()
		}, "a[20,20]=1@20 a[31,31]=1@31 a[20,31]=3@31", 2},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			d := processortest.New(t, func(b *stream.Builder) { stream.To(c.build(sessionsOf(b, windowing.OnUpdate).Results), other) })
			twoVisits(d)
			d.Commit()
			expect(t, briefSessions(processortest.Output(d, other).Drain()), c.want)
			if n := d.Dropped(stream.NullValue); n != c.drops {
				t.Errorf("%d tombstones were dropped, want %d", n, c.drops)
			}
		})
	}
}

func TestSessionsOfAnAggregate(t *testing.T) {
	d := processortest.New(t, func(b *stream.Builder) {
		w := windowing.Session(10 * time.Second).Grace(time.Minute).Emit(windowing.OnClose)
		a := stream.Aggregator[string, int64, string]{
			Zero:  func() string { return "i" },
			Add:   func(_ string, v int64, acc string) string { return fmt.Sprintf("a(%s,%d)", acc, v) },
			Merge: func(_ string, a, b string) string { return "m(" + a + "," + b + ")" },
			State: serde.String,
		}
		traced := stream.AggregateWindows("traced", stream.Window(stream.GroupByKey(stream.From(b, numbers)), w), a)
		stream.To(stream.Map(traced.Results, func(k windowing.Key[string], v string) (string, string) { return k.Key, v }), texts)
	})
	in := processortest.Input(d, numbers)
	in.Put(at(0), "a", 1)
	in.Put(at(11), "a", 2)
	in.Put(at(5), "a", 3)
	d.AdvanceTo(at(100))
	d.Commit()
	expect(t, brief(processortest.Output(d, texts).Drain()), "a=a(m(m(i,a(i,1)),a(i,2)),3)@11")
}

func TestSessionsNeedAMerge(t *testing.T) {
	b := stream.New("app")
	w := stream.Window(stream.GroupByKey(stream.From(b, numbers)), windowing.Session(time.Second))
	stream.To(stream.AggregateWindows("lacking", w, stream.Aggregator[string, int64, int64]{
		Add: func(_ string, v, acc int64) int64 { return acc + v }, State: serde.Int64,
	}).Results, visits)
	stream.Window(stream.GroupByKey(stream.From(b, others)), windowing.Sliding(0))
	_, err := b.Build()
	for _, want := range []string{`operator "lacking"`, "Merge", "difference of sliding windows"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want it to say %q", err, want)
		}
	}
}

func slidesOf(emit windowing.Emit) func(b *stream.Builder) {
	return func(b *stream.Builder) {
		w := windowing.Sliding(20 * time.Second).Grace(10 * time.Second).Emit(emit)
		counted := stream.CountWindows("slides", stream.Window(stream.GroupByKey(stream.From(b, numbers)), w))
		stream.To(counted.Results, slides)
		stream.To(counted.Late, late)
	}
}

func TestSlidingWindows(t *testing.T) {
	d := processortest.New(t, slidesOf(windowing.OnUpdate))
	in, out := processortest.Input(d, numbers), processortest.Output(d, slides)
	in.Put(at(30), "a", 1)
	in.Put(at(40), "a", 1)
	d.Commit()
	var parts []string
	for _, r := range out.Drain() {
		parts = append(parts, fmt.Sprintf("[%d,%d]=%d", r.Key.Window.Start-windowing.At(start), r.Key.Window.End-windowing.At(start), r.Value))
	}
	expect(t, strings.Join(parts, " "), "[10000,30000]=1 [20000,40000]=2 [30001,50001]=1")
}

// keyedKinds are sessions and sliding windows sent in every way there is.
func keyedKinds() map[string]windowing.Definition {
	session, sliding := windowing.Session(10*time.Second).Grace(5*time.Second), windowing.Sliding(20*time.Second).Grace(5*time.Second)
	all := map[string]windowing.Definition{}
	for _, emit := range []windowing.Emit{windowing.OnClose, windowing.OnCommit, windowing.OnUpdate, windowing.OnTime} {
		all["session "+emit.String()], all["sliding "+emit.String()] = session.Emit(emit), sliding.Emit(emit)
	}
	for _, emit := range []windowing.Emit{windowing.OnClose, windowing.OnTime} {
		all["session early and "+emit.String()] = session.Emit(emit).Early(7 * time.Second)
		all["sliding early and "+emit.String()] = sliding.Emit(emit).Early(7 * time.Second)
	}
	return all
}

// TestSessionsOnTimeAndEarly: with a crash behind each commit, nothing is sent twice, and what was sent early or on
// time is revoked when the session has grown.
func TestSessionsOnTimeAndEarly(t *testing.T) {
	d := processortest.New(t, func(b *stream.Builder) {
		w := windowing.Session(10 * time.Second).Grace(20 * time.Second).Emit(windowing.OnTime).Early(8 * time.Second)
		stream.To(stream.CountWindows("visits", stream.Window(stream.GroupByKey(stream.From(b, numbers)), w)).Results, visits)
	})
	in, out := processortest.Input(d, numbers), processortest.Output(d, visits)
	for _, step := range []struct {
		at   int
		key  string
		want string
	}{
		{100, "a", "a[100,100]=1@100"}, // the first time there is
		{104, "b", "b[104,104]=1@104"},
		{107, "a", ""},
		{112, "a", "a[100,100]=gone@112 a[100,112]=3@112"},
		{115, "b", "b[104,104]=1@104"}, // on time, though nothing has changed
		{116, "b", ""},
		{120, "c", "b[115,116]=2@116 c[120,120]=1@120"}, // early
		{123, "c", "a[100,112]=3@112"},                  // on time
		{110, "b", ""},                                  // makes two sessions one, whose end is to come
		{127, "c", "b[104,104]=gone@116 b[115,116]=gone@116 b[104,116]=4@116"},
		{150, "d", "c[120,120]=gone@127 c[120,127]=3@127 d[150,150]=1@150"},
	} {
		in.Put(at(step.at), step.key, 1)
		d.Commit()
		expect(t, briefSessions(out.Drain()), step.want)
		d.Crash()
	}
}

// TestKeyedWindowsSurviveEveryFault: whatever happens between two commits, what was committed in the end is the same.
func TestKeyedWindowsSurviveEveryFault(t *testing.T) {
	for name, w := range keyedKinds() {
		build := func(b *stream.Builder) {
			counted := stream.CountWindows("counts", stream.Window(stream.GroupByKey(stream.From(b, numbers)), w))
			to := visits
			if _, ok := w.(windowing.SlidingWindows); ok {
				to = slides
			}
			stream.To(counted.Results, to)
			stream.To(counted.Late, late)
		}
		t.Run(name, func(t *testing.T) {
			processortest.CheckExactlyOnce(t, build, func(d *processortest.Driver) {
				in := processortest.Input(d, numbers)
				for i := range 250 {
					in.Put(at(3*i-(i*7919)%30), fmt.Sprintf("k%d", i%5), int64(i))
				}
				d.AdvanceTo(at(2000))
			}, processortest.Partitions(2))
		})
	}
}

// TestKeyedWindowsInAChain: results of sessions and sliding windows are in time for second windows with grace 0.
func TestKeyedWindowsInAChain(t *testing.T) {
	for name, w := range keyedKinds() {
		t.Run(name, func(t *testing.T) {
			d := processortest.New(t, func(b *stream.Builder) {
				in := stream.GroupByKey(stream.From(b, numbers, stream.Watermark(windowing.Bounded(30*time.Second))))
				first := stream.EachUpdate(stream.CountWindows("first", stream.Window(in, w)).Results)
				total := func(a, v int64) int64 { return a + v }
				tumbling := stream.ReduceWindows("tumbling", stream.Window(stream.GroupByKey(first), windowing.Tumbling(7*time.Second)), total, serde.Int64)
				session := stream.ReduceWindows("session", stream.Window(stream.GroupByKey(first), windowing.Session(3*time.Second)), total, serde.Int64)
				values := func(s stream.Stream[windowing.Key[windowing.Key[string]], int64]) stream.Stream[string, int64] {
					return stream.Map(s, func(k windowing.Key[windowing.Key[string]], v int64) (string, int64) { return k.Key.Key, v })
				}
				stream.To(values(tumbling.Results), results)
				stream.To(values(session.Results), small)
			})
			in := processortest.Input(d, numbers)
			for i := range 300 {
				in.Put(at(100+2*i-(i*7919)%30), fmt.Sprintf("k%d", i%3), 1)
				if i%40 == 0 {
					d.Commit()
				}
			}
			d.AdvanceTo(at(2000))
			d.Commit()
			if n := d.Dropped(stream.Late); n != 0 || len(processortest.Output(d, results).Drain()) == 0 || len(processortest.Output(d, small).Drain()) == 0 {
				t.Errorf("%d results are late", n)
			}
		})
	}
}
