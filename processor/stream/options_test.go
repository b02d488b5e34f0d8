package stream_test

import (
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace/processor/stream"
	"github.com/millrace/millrace/schemaregistry/serde"
	"github.com/millrace/millrace/windowing"
)

func sum(acc, v int64) int64 { return acc + v }

func mustComplain(t *testing.T, b *stream.Builder, want ...string) {
	t.Helper()
	_, err := b.Build()
	for _, w := range want {
		if err == nil || !strings.Contains(err.Error(), w) {
			t.Errorf("the error does not mention %s: %v", w, err)
		}
	}
}

// TestOptionsWithoutEffectAreRefused: none is taken and ignored.
func TestOptionsWithoutEffectAreRefused(t *testing.T) {
	b := stream.New("wrong")
	update := stream.Emit(windowing.OnUpdate)
	rule := stream.Watermark(windowing.Ascending())
	in := stream.From(b, numbers, stream.Partitions(2))
	g := stream.GroupByKey(in)
	stream.ReduceWindows("reduced", stream.Window(g, windowing.Tumbling(time.Minute)), sum, serde.Int64, update)
	stream.Count("counted", g, stream.Name("other"), stream.CombineReduce())
	stream.Repartition("spread", in, serde.String, serde.Int64, update, rule)
	stream.GroupBy("grouped", in, func(k string, _ int64) string { return k }, serde.String, serde.Int64, stream.Name("other"))
	stream.To(in.Filter(func(string, int64) bool { return true }, stream.Completeness()), results, rule)
	mustComplain(t, b, `"source:numbers": the option Partitions has no effect`,
		`"reduced": the option Emit has no effect on it: it belongs to tables, windows have a method Emit; leave it out`,
		`"counted": the option Name`, `"counted": the option CombineReduce`,
		`"spread": the option Emit`, `"spread": the option Watermark`, `"grouped": the option Name`,
		`"filter-`, `the option Completeness`, `"sink:results": the option Watermark`)
}

// TestCombineReduceWithoutEffectIsRefused: where windows are not combined from
// panes nothing would tell that it was in vain.
func TestCombineReduceWithoutEffectIsRefused(t *testing.T) {
	hop := windowing.Hopping(time.Minute, 10*time.Second)
	for _, c := range []struct {
		w    windowing.Definition
		want string // empty: it has an effect
	}{
		{hop.Emit(windowing.OnClose), ""},
		{hop.Emit(windowing.OnClose).Grace(time.Hour).Offset(time.Second), ""},
		{windowing.Hopping(6*time.Millisecond, 4*time.Millisecond).Emit(windowing.OnClose), ""},
		{hop, "sent on-commit"},
		{hop.Emit(windowing.OnUpdate), "sent on-update"},
		{hop.Emit(windowing.OnTime), "sent on-time"},
		{hop.Emit(windowing.OnClose).Early(time.Second), "by Early"},
		{windowing.Hopping(time.Minute, time.Minute).Emit(windowing.OnClose), "do not overlap"},
		{windowing.Tumbling(time.Minute).Emit(windowing.OnClose), "do not overlap"},
		{windowing.Hopping(5*time.Millisecond, 4*time.Millisecond).Emit(windowing.OnClose), "panes of 1 ms"},
		{windowing.Cumulative(time.Second, time.Minute).Emit(windowing.OnClose), "only hopping windows"},
		{windowing.Calendar(windowing.Day, time.UTC).Emit(windowing.OnClose), "only hopping windows"},
		{windowing.Unlimited(0).Emit(windowing.OnClose), "only hopping windows"},
		{windowing.Session(time.Minute).Emit(windowing.OnClose), "only hopping windows"},
		{windowing.Sliding(time.Minute).Emit(windowing.OnClose), "only hopping windows"},
	} {
		b := stream.New("combined")
		stream.ReduceWindows("reduced", stream.Window(stream.GroupByKey(stream.From(b, numbers)), c.w), sum, serde.Int64, stream.CombineReduce())
		if c.want != "" {
			mustComplain(t, b, `"reduced": the option CombineReduce has no effect`, c.want)
		} else if _, err := b.Build(); err != nil {
			t.Error(err)
		}
	}
}

func TestOptionsOutOfRangeAreRefused(t *testing.T) {
	b := stream.New("wrong")
	in := stream.From(b, numbers)
	stream.Count("counted", stream.GroupByKey(in), stream.Emit(99))
	stream.Repartition("none", in, serde.String, serde.Int64, stream.Partitions(-1))
	stream.Repartition("many", in, serde.String, serde.Int64, stream.Partitions(1<<32))
	mustComplain(t, b, `"counted": unknown emission 99`, `"none": -1 partitions`, `"many": 4294967296 partitions; give it from 1 to 2147483647`)
}

// TestAggregatesNeedAFunction: without one every record would panic, and be
// skipped where errors are.
func TestAggregatesNeedAFunction(t *testing.T) {
	b := stream.New("wrong")
	b.SkipErrors()
	g := stream.GroupByKey(stream.From(b, numbers))
	w := stream.Window(g, windowing.Tumbling(time.Minute))
	stream.Reduce("r", g, nil, serde.Int64)
	stream.Aggregate("a", g, stream.Aggregator[string, int64, int64]{State: serde.Int64})
	stream.TryAggregate("t", g, stream.TryAggregator[string, int64, int64]{State: serde.Int64})
	stream.ReduceWindows("rw", w, nil, serde.Int64)
	stream.AggregateWindows("aw", w, stream.Aggregator[string, int64, int64]{State: serde.Int64})
	stream.TryAggregateWindows("tw", w, stream.TryAggregator[string, int64, int64]{State: serde.Int64})
	for _, name := range []string{"r", "a", "t", "rw", "aw", "tw"} {
		mustComplain(t, b, `operator "`+name+`": nothing takes its records in`)
	}
}

// TestAFactoryOfGeneratorsIsNeeded: without one windowing.Generated would be
// taken for windowing.Punctuated.
func TestAFactoryOfGeneratorsIsNeeded(t *testing.T) {
	b, marked := stream.New("wrong"), numbers
	marked.Marker = func(r *stream.Record[string, int64]) (time.Time, bool) { return r.Time.Time(), true }
	stream.To(stream.From(b, marked, stream.Watermark(windowing.Generated(nil))), results)
	mustComplain(t, b, `"numbers": windowing: Generated needs a function`)
}
