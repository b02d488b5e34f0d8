package processortest

import (
	"iter"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace/processor/stream"
	"github.com/millrace/millrace/schemaregistry/serde"
	"github.com/millrace/millrace/windowing"
)

var (
	words  = stream.Topic[string, string]{Name: "words", Key: serde.String, Value: serde.String}
	others = stream.Topic[string, string]{Name: "others", Key: serde.String, Value: serde.String}
	out    = stream.Topic[string, string]{Name: "out", Key: serde.String, Value: serde.String}
)

func countIn(s stream.Stream[string, string], w windowing.Definition) stream.Stream[string, string] {
	counts := stream.CountWindows("counts", stream.Window(stream.GroupByKey(s), w)).Results
	return stream.Map(counts, func(k windowing.Key[string], _ int64) (string, string) { return k.Key, "" })
}

// TestWhereTheOrderIsPromised: what depends on commits, or on how two logs
// interleave, has none to compare.
func TestWhereTheOrderIsPromised(t *testing.T) {
	minute := windowing.Tumbling(time.Minute)
	type line = stream.Stream[string, string]
	for name, c := range map[string]struct {
		next func(*stream.Builder, line) line
		want bool
	}{
		"one source": {func(_ *stream.Builder, s line) line { return s }, true},
		"its two branches": {func(_ *stream.Builder, s line) line {
			all := s.Branch(func(string, string) bool { return true })
			return all[0].Merge(all[1])
		}, true},
		"two sources": {func(b *stream.Builder, s line) line { return s.Merge(stream.From(b, others)) }, false},
		"repartition": {func(_ *stream.Builder, s line) line { return stream.Repartition("by", s, serde.String, serde.String) }, false},
		"a table": {func(_ *stream.Builder, s line) line {
			return stream.Reduce("r", stream.GroupByKey(s), func(_, v string) string { return v }, serde.String).Changes()
		}, false},
		"its updates": {func(_ *stream.Builder, s line) line {
			return stream.Reduce("r", stream.GroupByKey(s), func(_, v string) string { return v }, serde.String, stream.Emit(windowing.OnUpdate)).Changes()
		}, true},
		"on commit": {func(_ *stream.Builder, s line) line { return countIn(s, minute) }, false},
		"on update": {func(_ *stream.Builder, s line) line { return countIn(s, minute.Emit(windowing.OnUpdate)) }, true},
		"early": {func(_ *stream.Builder, s line) line {
			return countIn(s, minute.Emit(windowing.OnClose).Early(time.Second))
		}, false},
		"early, of sessions": {func(_ *stream.Builder, s line) line {
			return countIn(s, windowing.Session(time.Minute).Emit(windowing.OnClose).Early(time.Second))
		}, true},
		"finals behind a repartition": {func(_ *stream.Builder, s line) line {
			return countIn(stream.Repartition("by", s, serde.String, serde.String), minute.Emit(windowing.OnClose))
		}, true},
		"late behind a repartition": {func(_ *stream.Builder, s line) line {
			by := stream.Repartition("by", s, serde.String, serde.String)
			return stream.CountWindows("counts", stream.Window(stream.GroupByKey(by), minute.Emit(windowing.OnClose))).Late
		}, false},
	} {
		d := New(t, func(b *stream.Builder) { stream.To(c.next(b, stream.From(b, words)), out) })
		if got := d.ordered("out"); got != c.want {
			t.Errorf("%s: ordered is %v", name, got)
		}
	}
	twice := New(t, func(b *stream.Builder) {
		s := stream.From(b, words)
		stream.To(s, out)
		stream.To(s, out)
	})
	if twice.ordered("out") {
		t.Error("a topic with two sinks is ordered")
	}
}

// TestSuppressionIsTheSameRecordByRecord: a change whose limit is over leaves by
// itself after a fault too, though the last one of its key does in any case.
func TestSuppressionIsTheSameRecordByRecord(t *testing.T) {
	CheckExactlyOnce(t, func(b *stream.Builder) {
		pairs := stream.FlatMapValues(stream.From(b, words), func(v string) iter.Seq[string] { return slices.Values([]string{v + "1", v + "2"}) })
		stream.To(stream.Suppress("held", pairs, windowing.UntilTimeLimit(10*time.Millisecond, windowing.EmitEarly).MaxRecords(100), serde.String), out)
	}, func(d *Driver) {
		in := Input(d, words)
		for i := range 100 {
			in.Put(time.UnixMilli(int64(100+i-(i*7919)%40)), string(rune('a'+i%4)), string(rune('a'+i%20)))
		}
		d.AdvanceTo(time.UnixMilli(1000))
	})
}

// TestPartingNamesTheFirstDifference, whichever side has more.
func TestPartingNamesTheFirstDifference(t *testing.T) {
	want := map[string]sequence{"p": {"a", "b"}}
	for _, c := range []struct {
		got  sequence
		want string
	}{{sequence{"a", "b"}, ""}, {sequence{"b", "a"}, "record 0 is b, undisturbed a"}, {sequence{"a"}, "record 1 is missing, undisturbed b"}, {sequence{"a", "b", "c"}, "record 2 is c, undisturbed missing"}} {
		if got := parting(want, map[string]sequence{"p": c.got}); (got == "") != (c.want == "") || !strings.Contains(got, c.want) {
			t.Errorf("%v: %q, want %q", c.got, got, c.want)
		}
	}
}
