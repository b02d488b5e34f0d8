package stream_test

import (
	"iter"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace/processor/processortest"
	"github.com/millrace/millrace/processor/stream"
	"github.com/millrace/millrace/schemaregistry/serde"
	"github.com/millrace/millrace/windowing"
)

type windowKey = windowing.Key[string]

var hundredths = stream.Topic[windowKey, int64]{Name: "hundredths", Key: windowing.KeySerde(serde.String, 100*time.Millisecond), Value: serde.Int64}

// emissions are all that results of windows may have, and whether they are
// final.
var emissions = []struct {
	name  string
	w     windowing.Definition
	final bool
	want  string
}{
	{"default", windowing.Tumbling(time.Minute), false, `results of operator "first" are not final (emission on-commit)`},
	{"on commit", windowing.Hopping(time.Minute, time.Second).Emit(windowing.OnCommit), false, "depends on when commits come"},
	{"on update", windowing.Session(time.Minute).Emit(windowing.OnUpdate), false, "emission on-update"},
	{"on time", windowing.Sliding(time.Minute).Emit(windowing.OnTime), false, "emission on-time"},
	{"early", windowing.Tumbling(time.Minute).Emit(windowing.OnClose).Early(time.Second), false, "emission on-close, with Early"},
	{"early sessions", windowing.Session(time.Minute).Emit(windowing.OnClose).Early(time.Second), false, "with Early"},
	{"early sliding", windowing.Sliding(time.Minute).Emit(windowing.OnClose).Early(time.Second), false, "with Early"},
	{"on close", windowing.Tumbling(time.Minute).Emit(windowing.OnClose), true, ""},
	{"sessions on close", windowing.Session(time.Minute).Emit(windowing.OnClose), true, ""},
	{"sliding on close", windowing.Sliding(time.Minute).Emit(windowing.OnClose), true, ""},
}

func byKey(k windowKey, _ int64) string { return k.Key }

// built builds what follows the counts of a window.
func built(w windowing.Definition, next func(stream.Stream[windowKey, int64])) error {
	b := stream.New("chain")
	counts := stream.CountWindows("first", stream.Window(stream.GroupByKey(stream.From(b, numbers)), w))
	next(counts.Results)
	_, err := b.Build()
	return err
}

// TestResultsThatAreNotFinalAreNotGathered: a sum over them would take a window
// as often as it was sent, and that depends on commits.
func TestResultsThatAreNotFinalAreNotGathered(t *testing.T) {
	gather := map[string]func(stream.Stream[windowKey, int64]){
		"group by key": func(s stream.Stream[windowKey, int64]) {
			stream.Count("again", stream.GroupByKey(s))
		},
		"group by": func(s stream.Stream[windowKey, int64]) {
			stream.Count("again", stream.GroupBy("by", s, byKey, serde.String, serde.Int64))
		},
		"repartition": func(s stream.Stream[windowKey, int64]) {
			stream.Repartition("by", stream.SelectKey(s, byKey), serde.String, serde.Int64)
		},
	}
	for _, e := range emissions {
		for name, next := range gather {
			err := built(e.w, next)
			if e.final != (err == nil) {
				t.Errorf("%s, %s: %v, want it accepted: %v", e.name, name, err, e.final)
			}
			if err != nil && !strings.Contains(err.Error(), e.want) {
				t.Errorf("%s, %s: %v does not say %q", e.name, name, err, e.want)
			}
			if err != nil && strings.Count(err.Error(), "not final") != 1 {
				t.Errorf("%s, %s: told more than once: %v", e.name, name, err)
			}
			if err := built(e.w, func(s stream.Stream[windowKey, int64]) { next(stream.EachUpdate(s)) }); err != nil {
				t.Errorf("%s, %s, each update: %v", e.name, name, err)
			}
		}
	}
}

// TestNotFinalTravels: no stateless operator makes a result final, on whichever
// side it comes in.
func TestNotFinalTravels(t *testing.T) {
	type results = stream.Stream[windowKey, int64]
	keep := func(windowKey, int64) bool { return true }
	for name, through := range map[string]func(results) results{
		"filter": func(s results) results { return s.Filter(keep) },
		"try filter": func(s results) results {
			return s.TryFilter(func(*stream.Context, *stream.Record[windowKey, int64]) (bool, error) { return true, nil })
		},
		"peek":       func(s results) results { return s.Peek(func(*stream.Record[windowKey, int64]) {}) },
		"map values": func(s results) results { return stream.MapValues(s, func(n int64) int64 { return n }) },
		"flat map values": func(s results) results {
			return stream.FlatMapValues(s, func(n int64) iter.Seq[int64] { return func(yield func(int64) bool) { yield(n) } })
		},
		"map": func(s results) results {
			return stream.Map(s, func(k windowKey, n int64) (windowKey, int64) { return k, n })
		},
		"flat map": func(s results) results {
			return stream.FlatMap(s, func(k windowKey, n int64) iter.Seq2[windowKey, int64] {
				return func(yield func(windowKey, int64) bool) { yield(k, n) }
			})
		},
		"select key":   func(s results) results { return stream.SelectKey(s, func(k windowKey, _ int64) windowKey { return k }) },
		"branch":       func(s results) results { return s.Branch(keep)[0] },
		"other branch": func(s results) results { return s.Branch(keep)[1] },
		"merge left":   func(s results) results { return s.Merge(stream.EachUpdate(s)) },
		"merge right":  func(s results) results { return stream.EachUpdate(s).Merge(s) },
		"suppress": func(s results) results {
			return stream.Suppress("thin", s, windowing.UntilTimeLimit(time.Minute, windowing.EmitEarly).MaxRecords(10), serde.Int64)
		},
	} {
		err := built(windowing.Tumbling(time.Minute), func(s results) {
			stream.Repartition("by", stream.SelectKey(through(s), byKey), serde.String, serde.Int64)
		})
		if err == nil || !strings.Contains(err.Error(), `results of operator "first" are not final`) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestTablesSentAtCommitsAreNotGathered: with OnUpdate every change comes,
// whenever commits do.
func TestTablesSentAtCommitsAreNotGathered(t *testing.T) {
	for _, c := range []struct {
		opts []stream.Option
		fits bool
	}{
		{nil, false},
		{[]stream.Option{stream.Emit(windowing.OnCommit)}, false},
		{[]stream.Option{stream.Emit(windowing.OnUpdate)}, true},
	} {
		for _, each := range []bool{false, true} {
			b := stream.New("chain")
			changes := stream.Count("first", stream.GroupByKey(stream.From(b, numbers)), c.opts...).Changes()
			if each {
				changes = stream.EachUpdate(changes)
			}
			stream.CountWindows("again", stream.Window(stream.GroupByKey(changes), windowing.Tumbling(time.Minute)))
			_, err := b.Build()
			if (err == nil) != (c.fits || each) {
				t.Errorf("options %d, each update %v: %v", len(c.opts), each, err)
			}
			if err != nil && !strings.Contains(err.Error(), `changes of table "first" are sent at commits (emission on-commit)`) {
				t.Errorf("the error does not name the table: %v", err)
			}
		}
	}
}

// TestFinalsDoNotDependOnCommits: what Build lets pass gives one sum, wherever
// commits fall. EachUpdate is for those who want the other.
func TestFinalsDoNotDependOnCommits(t *testing.T) {
	sums := func(emit windowing.Emit, commits bool) (got []int64) {
		d := processortest.New(t, func(b *stream.Builder) {
			first := stream.CountWindows("first", stream.Window(stream.GroupByKey(stream.From(b, numbers)), windowing.Tumbling(10*time.Millisecond).Emit(emit)))
			again := stream.GroupBy("by", stream.EachUpdate(first.Results), byKey, serde.String, serde.Int64)
			stream.To(stream.ReduceWindows("second", stream.Window(again, windowing.Tumbling(100*time.Millisecond).Emit(windowing.OnClose)), sum, serde.Int64).Results, hundredths)
		})
		in := processortest.Input(d, numbers)
		for _, ts := range []int64{1, 2, 3, 300} {
			in.Put(time.UnixMilli(ts), "k", 1)
			if commits {
				d.Commit()
			}
		}
		d.Commit()
		d.AdvanceTo(time.UnixMilli(1000))
		d.Commit()
		for _, r := range processortest.Output(d, hundredths).Drain() {
			got = append(got, r.Value)
		}
		return got
	}
	if a, b := sums(windowing.OnClose, false), sums(windowing.OnClose, true); len(a) != 2 || a[0] != 3 || len(b) != 2 || b[0] != 3 {
		t.Errorf("finals: %v without commits between, %v with", a, b)
	}
	if a, b := sums(windowing.OnCommit, false), sums(windowing.OnCommit, true); a[0] != 3 || b[0] != 6 {
		t.Errorf("each update: %v without commits between, %v with; the essay of EachUpdate says 3 and 6", a, b)
	}
}
