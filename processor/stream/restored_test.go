package stream_test

import (
	"fmt"
	"iter"
	"slices"
	"testing"
	"time"

	"github.com/millrace/millrace/processor/processortest"
	"github.com/millrace/millrace/processor/stream"
	"github.com/millrace/millrace/schemaregistry/serde"
	"github.com/millrace/millrace/windowing"
)

// faults are what can happen between two commits: nothing, and what undoes
// everything since the last.
var faults = map[string]func(*processortest.Driver){
	"undisturbed": func(*processortest.Driver) {},
	"abort":       (*processortest.Driver).Abort,
	"crash":       (*processortest.Driver).Crash,
	"lost disk":   (*processortest.Driver).LoseState,
}

// twice is each number, and the next.
func twice(n int64) iter.Seq[int64] { return slices.Values([]int64{n, n + 1}) }

// TestWhatIsDueAtTheRestoredTimeIsSentAtOnce: after a fault an operator knows the
// time before the first record, so that a change whose limit is over leaves by
// itself, as without the fault, and not with the one behind it.
func TestWhatIsDueAtTheRestoredTimeIsSentAtOnce(t *testing.T) {
	for name, before := range map[string]func(stream.Stream[string, int64]) stream.Stream[string, int64]{
		"two of one record": func(s stream.Stream[string, int64]) stream.Stream[string, int64] {
			return stream.FlatMapValues(s, twice)
		},
		"repartition": func(s stream.Stream[string, int64]) stream.Stream[string, int64] {
			return stream.Repartition("by", s, serde.String, serde.Int64)
		},
	} {
		for fault, happens := range faults {
			d := processortest.New(t, func(b *stream.Builder) {
				held := windowing.UntilTimeLimit(10*time.Second, windowing.EmitEarly).MaxRecords(100)
				stream.To(stream.Suppress("held", before(stream.From(b, numbers)), held, serde.Int64), results)
			})
			in, out := processortest.Input(d, numbers), processortest.Output(d, results)
			in.Put(at(76), "a", 1) // waits until 86, so that no more than 76 is passed
			in.Put(at(85), "c", 1)
			d.Commit()
			happens(d)
			in.Put(at(70), "b", 1) // was due at 80
			in.Put(at(70), "b", 5)
			d.Commit()
			want := "b=1@70 b=5@70"
			if name == "two of one record" {
				want = "b=1@70 b=2@70 b=5@70 b=6@70"
			}
			if got := brief(out.Drain()); got != want {
				t.Errorf("%s, %s: %s, want %s", name, fault, got, want)
			}
		}
	}
}

// TestTheRestoredTimeIsPassedOn: after a fault what reads behind a repartition,
// and who reads the completeness, hear the time without a record.
func TestTheRestoredTimeIsPassedOn(t *testing.T) {
	for fault, happens := range faults {
		d := processortest.New(t, func(b *stream.Builder) {
			stream.To(stream.From(b, numbers), results, stream.Completeness())
		})
		processortest.Input(d, numbers).Put(at(50), "a", 1)
		d.Commit()
		happens(d)
		d.Commit()
		said := processortest.Output(d, stream.Topic[string, string]{Name: "results.watermarks", Key: serde.String, Value: serde.String}).Drain()
		if last := said[len(said)-1].Value; last != fmt.Sprint(at(50).UnixMilli()) {
			t.Errorf("%s: %s is said last", fault, last)
		}
		if fault != "undisturbed" && len(said) != 2 {
			t.Errorf("%s: the time was said %d times, want once more than before", fault, len(said))
		}
	}
}

// TestFaultsBetweenTheSameCommitsChangeNothing: not one record more or less, nor
// another order, also where that depends on when commits come.
func TestFaultsBetweenTheSameCommitsChangeNothing(t *testing.T) {
	type line = stream.Stream[string, int64]
	flat := func(s stream.Stream[windowKey, int64]) line {
		return stream.Map(s, func(k windowKey, n int64) (string, int64) { return fmt.Sprint(k), n })
	}
	window := func(w windowing.Definition) func(line) line {
		return func(s line) line {
			return flat(stream.CountWindows("w", stream.Window(stream.GroupByKey(s), w)).Results)
		}
	}
	regrouped := func(next func(line) line) func(line) line {
		return func(s line) line { return next(stream.Repartition("by", s, serde.String, serde.Int64)) }
	}
	held := func(s line) line {
		return stream.Suppress("held", s, windowing.UntilTimeLimit(10*time.Second, windowing.EmitEarly).MaxRecords(4), serde.Int64)
	}
	apps := map[string]func(line) line{
		"table":      func(s line) line { return stream.Count("t", stream.GroupByKey(s)).Changes() },
		"suppressed": func(s line) line { return held(stream.FlatMapValues(s, twice)) },
		"suppressed table": func(s line) line {
			return held(stream.Count("t", stream.GroupByKey(s)).Changes())
		},
		"windows of a table": func(s line) line {
			return window(windowing.Tumbling(7 * time.Second))(stream.EachUpdate(stream.Count("t", stream.GroupByKey(s)).Changes()))
		},
	}
	for name, w := range keyedKinds() {
		apps[name] = window(w)
	}
	for _, emit := range []windowing.Emit{windowing.OnCommit, windowing.OnClose, windowing.OnUpdate, windowing.OnTime} {
		apps["hopping "+emit.String()] = window(windowing.Hopping(10*time.Second, 4*time.Second).Grace(5 * time.Second).Emit(emit))
		apps["cumulative "+emit.String()] = window(windowing.Cumulative(5*time.Second, 20*time.Second).Grace(5 * time.Second).Emit(emit))
	}
	for name, app := range apps {
		for stage, app := range map[string]func(line) line{"": app, " behind a repartition": regrouped(app)} {
			build := func(b *stream.Builder) {
				stream.To(app(stream.From(b, numbers, stream.Watermark(windowing.Bounded(5*time.Second)))), results, stream.Completeness())
			}
			want := committed(t, build, faults["undisturbed"])
			for fault, happens := range faults {
				if got := committed(t, build, happens); got != want {
					t.Errorf("%s%s, %s: other results than undisturbed", name, stage, fault)
				}
			}
		}
	}
}

// committed runs an application over scattered records with a commit after every
// tenth, and what happens between.
func committed(t *testing.T, build func(*stream.Builder), happens func(*processortest.Driver)) string {
	d := processortest.New(t, build)
	for i := range 200 {
		processortest.Input(d, numbers).Put(at(100+i-(i*7919)%23), fmt.Sprintf("k%d", i%5), int64(i))
		switch {
		case i%10 == 9:
			d.Commit()
			if i%30 == 9 {
				happens(d)
			}
		case i%10 == 4:
			happens(d)
		}
	}
	d.AdvanceTo(at(2000))
	d.Commit()
	var all []string
	for _, r := range processortest.Output(d, results).Drain() {
		all = append(all, fmt.Sprintf("%s=%d %v %v %v", r.Key, r.Value, r.Tombstone, r.Time, r.Headers))
	}
	return fmt.Sprint(all)
}
