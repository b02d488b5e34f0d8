package stream_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace/processor/processortest"
	"github.com/millrace/millrace/processor/stream"
	"github.com/millrace/millrace/schemaregistry/serde"
	"github.com/millrace/millrace/windowing"
)

// sums sends every change of the sum per key.
func sums(b *stream.Builder) stream.Stream[string, int64] {
	add := func(acc, v int64) int64 { return acc + v }
	in := stream.From(b, numbers, stream.Watermark(windowing.Bounded(3*time.Second)))
	return stream.Reduce("sums", stream.GroupByKey(in), add, serde.Int64, stream.Emit(windowing.OnUpdate)).Changes()
}

// suppressed holds the sums back. Every row that is sent goes out under a key
// of its own too, so that a comparison by key sees each.
func suppressed(w windowing.Suppression) func(b *stream.Builder) {
	return func(b *stream.Builder) {
		held := stream.Suppress("held", sums(b), w, serde.Int64)
		stream.To(held, results)
		rows := stream.TryMap(held, func(_ *stream.Context, r *stream.Record[string, int64]) (string, string, error) {
			return fmt.Sprintf("%s=%d@%d", r.Key, r.Value, r.Time), "", nil
		})
		stream.To(rows, texts)
	}
}

func TestSuppressIsExactlyOnce(t *testing.T) {
	early := windowing.UntilTimeLimit(10*time.Second, windowing.EmitEarly)
	for name, w := range map[string]windowing.Suppression{
		"time":    early.MaxRecords(1000),
		"records": early.MaxRecords(3),
		"bytes":   early.MaxBytes(3 * 9),
	} {
		t.Run(name, func(t *testing.T) {
			rows := 0
			processortest.CheckExactlyOnce(t, suppressed(w), func(d *processortest.Driver) {
				r := rand.New(rand.NewPCG(5, 6))
				in := processortest.Input(d, numbers)
				for i := range 120 {
					in.Put(at(i-r.IntN(4)+4), string(rune('a'+r.IntN(7))), int64(1+r.IntN(9)))
				}
				d.AdvanceTo(at(1000))
				d.Commit()
				rows = len(processortest.Output(d, results).Drain())
			}, processortest.Partitions(2))
			if rows < 20 || rows > 100 {
				t.Errorf("%d rows for 120 changes", rows)
			}
		})
	}
}

// TestWhatFailsBehindASuppressionIsExactlyOnce: it is dropped with what it did, once,
// also behind another suppression and behind windows that close at once.
func TestWhatFailsBehindASuppressionIsExactlyOnce(t *testing.T) {
	early := windowing.UntilTimeLimit(10*time.Second, windowing.EmitEarly).MaxRecords(3)
	mind := func(_ *stream.Context, r *stream.Record[string, int64]) (int64, error) {
		switch {
		case r.Value%3 == 0:
			return 0, fmt.Errorf("it fails over %d", r.Value)
		case r.Value%7 == 0:
			panic("it panics")
		}
		return r.Value, nil
	}
	topic := func(name string) stream.Topic[string, int64] {
		return stream.Topic[string, int64]{Name: name, Key: serde.String, Value: serde.Int64}
	}
	build := func(b *stream.Builder) {
		b.DeadLetter("dead")
		held := stream.Suppress("held", sums(b), early, serde.Int64)
		stream.To(held, topic("copied"))
		again := stream.Suppress("again", held, early.MaxRecords(2), serde.Int64)
		stream.To(stream.TryMapValues(held, mind), topic("minded"))
		stream.To(stream.TryMapValues(again, mind), topic("minded again"))
		minute := windowing.Tumbling(time.Minute).Emit(windowing.OnClose)
		counts := stream.CountWindows("windows", stream.Window(stream.GroupByKey(again), minute)).Results
		some := stream.Suppress("some", counts, early, serde.Int64)
		stream.To(stream.TryMapValues(some, func(c *stream.Context, r *stream.Record[windowing.Key[string], int64]) (int64, error) {
			if _, is := c.Origin(); is {
				return 0, fmt.Errorf("it comes of a record")
			}
			return r.Value, nil
		}), windows)
	}
	copied, minded, dead := 0, 0, 0
	processortest.CheckExactlyOnce(t, build, func(d *processortest.Driver) {
		r := rand.New(rand.NewPCG(5, 6))
		in := processortest.Input(d, numbers)
		for i := range 120 {
			in.Put(at(i-r.IntN(4)+4), string(rune('a'+r.IntN(7))), int64(1+r.IntN(9)))
		}
		d.AdvanceTo(at(1000))
		d.Commit()
		copied = len(processortest.Output(d, topic("copied")).Drain())
		minded = len(processortest.Output(d, topic("minded")).Drain())
		dead = len(processortest.Output(d, stream.Topic[string, []byte]{Name: "dead", Key: serde.String, Value: serde.Bytes}).Drain())
		if n := d.Dropped(stream.Failed); n != int64(dead) {
			t.Errorf("%d dead letters, %d dropped", dead, n)
		}
	}, processortest.Partitions(2))
	if copied != minded || dead < 10 || minded < 20 {
		t.Errorf("%d copied, %d minded, %d dead letters", copied, minded, dead)
	}
}

// TestSuppressedChangesAreNotLate chains the results into windows with grace 0:
// what a suppression passes on must not run ahead of what it holds.
func TestSuppressedChangesAreNotLate(t *testing.T) {
	d := processortest.New(t, func(b *stream.Builder) {
		w := windowing.UntilTimeLimit(7*time.Second, windowing.EmitEarly).MaxRecords(5)
		held := stream.Suppress("held", sums(b), w, serde.Int64)
		stream.To(held, results)
		minutes := stream.CountWindows("per-minute", stream.Window(stream.GroupByKey(held), windowing.Tumbling(time.Minute).Emit(windowing.OnClose)))
		stream.To(minutes.Results, windows)
	})
	in, out := processortest.Input(d, numbers), processortest.Output(d, windows)
	r := rand.New(rand.NewPCG(8, 9))
	for i := range 600 {
		in.Put(at(2*i-r.IntN(4)+4), string(rune('a'+r.IntN(9))), 1)
	}
	d.AdvanceTo(at(10_000))
	d.Commit()
	var counted int64
	for _, r := range out.Drain() {
		counted += r.Value
	}
	sent := len(processortest.Output(d, results).Drain())
	if counted != int64(sent) || sent == 0 || d.Dropped(stream.Late) != 0 {
		t.Errorf("%d rows sent, %d counted, %d late", sent, counted, d.Dropped(stream.Late))
	}
}

// TestWhatIsHeldBackIsAsLateAsWhatIsNot: a record that is late by its own
// partition is late in windows behind an operator that holds it back and a
// repartition topic, however far the other partition is, and also after a crash.
func TestWhatIsHeldBackIsAsLateAsWhatIsNot(t *testing.T) {
	tens := windows
	tens.Key = windowing.KeySerde(serde.String, 10*time.Second)
	for name, hold := range map[string]func(*stream.Builder) stream.Stream[string, int64]{
		"table": func(b *stream.Builder) stream.Stream[string, int64] {
			return stream.Count("counts", stream.GroupByKey(stream.From(b, numbers))).Changes()
		},
		"suppression": func(b *stream.Builder) stream.Stream[string, int64] {
			counts := stream.Count("counts", stream.GroupByKey(stream.From(b, numbers)), stream.Emit(windowing.OnUpdate))
			return stream.Suppress("held", counts.Changes(), windowing.UntilTimeLimit(10*time.Second, windowing.EmitEarly).MaxRecords(100), serde.Int64)
		},
	} {
		for _, other := range []int{1, 60} { // where the other partition is
			for _, crashed := range []bool{false, true} {
				d := processortest.New(t, func(b *stream.Builder) {
					g := stream.GroupBy("again", stream.EachUpdate(hold(b)), func(k string, _ int64) string { return k }, serde.String, serde.Int64)
					stream.To(stream.CountWindows("w", stream.Window(g, windowing.Tumbling(10*time.Second))).Results, tens)
				}, processortest.Partitions(2))
				put := func(partition int32, key string, second int) {
					processortest.Input(d, numbers).PutTo(partition, at(second), []byte(key), []byte{0, 0, 0, 0, 0, 0, 0, 1})
				}
				put(0, "a", 50)
				put(1, "z", other)
				d.Commit()
				if crashed {
					d.LoseState()
				}
				put(0, "g", 3)
				d.Commit()
				put(1, "z", 60)
				d.Commit()
				if n := d.Dropped(stream.Late); n != 1 {
					t.Errorf("%s, the other partition at %d, crashed %v: %d late, want g", name, other, crashed, n)
				}
			}
		}
	}
}

// TestSuppressSendsTombstones holds back what sessions send: one that a record
// has made part of another is gone.
func TestSuppressSendsTombstones(t *testing.T) {
	sessions := windowing.Session(5 * time.Second).Grace(time.Minute).Emit(windowing.OnUpdate)
	out := stream.Topic[windowing.Key[string], int64]{Name: "sessions", Key: windowing.SessionKeySerde(serde.String), Value: serde.Int64}
	build := func(b *stream.Builder) {
		counts := stream.CountWindows("count", stream.Window(stream.GroupByKey(stream.From(b, numbers)), sessions))
		w := windowing.UntilTimeLimit(20*time.Second, windowing.EmitEarly).MaxRecords(1)
		stream.To(stream.Suppress("held", counts.Results, w, serde.Int64), out)
	}
	d := processortest.New(t, build)
	in, rows := processortest.Input(d, numbers), processortest.Output(d, out)
	for _, second := range []int{0, 8, 4} { // 8 leaves no room for 0, and 4 makes them one
		in.Put(at(second), "a", 1)
		d.Commit()
	}
	d.LoseState()
	d.AdvanceTo(at(100))
	d.Commit()
	var got []string
	for _, r := range rows.Drain() {
		value := fmt.Sprint(r.Value)
		if r.Tombstone {
			value = "gone"
		}
		w := r.Key.Window
		got = append(got, fmt.Sprintf("%v-%v=%s", w.Start.Time().Sub(start), w.End.Time().Sub(start), value))
	}
	expect(t, strings.Join(got, " "), "0s-0s=1 0s-0s=gone 0s-8s=3 8s-8s=gone")
}

// fatal catches what would fail the test.
type fatal struct{ testing.TB }

type fataled string

func (fatal) Helper()                   {}
func (fatal) Fatal(args ...any)         { panic(fataled(fmt.Sprint(args...))) }
func (fatal) Fatalf(f string, a ...any) { panic(fataled(fmt.Sprintf(f, a...))) }

func TestSuppressStopsWhenFull(t *testing.T) {
	w := windowing.UntilTimeLimit(time.Minute, windowing.StopWhenFull).MaxRecords(2)
	d := processortest.New(fatal{t}, func(b *stream.Builder) {
		b.SkipErrors() // no record is to blame, so it is not skipped
		suppressed(w)(b)
	})
	in := processortest.Input(d, numbers)
	in.Put(at(0), "a", 1)
	in.Put(at(1), "b", 1)
	in.Put(at(2), "a", 1)
	defer func() {
		text, ok := recover().(fataled)
		if want := `operator "held": windowing: the changes of 3 keys wait`; !ok || !strings.Contains(string(text), want) {
			t.Errorf("got %q, want %q", text, want)
		}
	}()
	in.Put(at(3), "c", 1)
}

func TestSuppressReportsMistakes(t *testing.T) {
	b := stream.New("wrong")
	w := windowing.UntilTimeLimit(time.Minute, windowing.EmitEarly)
	changes := sums(b)
	stream.Suppress("unbounded", changes, w, serde.Int64)
	stream.Suppress("no-serde", changes, w.MaxRecords(1), nil)
	rekeyed := stream.SelectKey(changes, func(k string, _ int64) string { return k }, stream.Name("other-key"))
	stream.Suppress("rekeyed", rekeyed, w.MaxRecords(1), serde.Int64)
	_, err := b.Build()
	for _, want := range []string{`"unbounded": windowing: a suppression needs`, `"no-serde": its value has no serde`, `"rekeyed": operator "other-key" changed the key`} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("the error does not mention %s: %v", want, err)
		}
	}
}
