package stream_test

import (
	"errors"
	"fmt"
	"iter"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace/processor/processortest"
	"github.com/millrace/millrace/processor/stream"
	"github.com/millrace/millrace/schemaregistry/serde"
	"github.com/millrace/millrace/windowing"
)

// exampleT lets the test driver run in an Example.
type exampleT struct{ testing.TB }

func (exampleT) Helper()                   {}
func (exampleT) Name() string              { return "example" }
func (exampleT) Fatal(args ...any)         { panic(fmt.Sprint(args...)) }
func (exampleT) Fatalf(f string, a ...any) { panic(fmt.Sprintf(f, a...)) }

var (
	orders  = stream.Topic[string, int64]{Name: "orders", Key: serde.String, Value: serde.Int64}
	returns = stream.Topic[string, int64]{Name: "returns", Key: serde.String, Value: serde.Int64}
	totals  = stream.Topic[string, int64]{Name: "totals", Key: serde.String, Value: serde.Int64}
	labels  = stream.Topic[string, string]{Name: "labels", Key: serde.String, Value: serde.String}
	minutes = stream.Topic[windowing.Key[string], int64]{Name: "minutes", Key: windowing.KeySerde(serde.String, time.Minute), Value: serde.Int64}
)

// show runs an application over three orders, ann 5, bob 7 and ann 3, one every
// 40 seconds, and prints what it commits to a topic.
func show[V any](topic stream.Topic[string, V], build func(*stream.Builder)) {
	d := feed(build)
	for _, r := range processortest.Output(d, topic).Drain() {
		fmt.Println(r.Key, r.Value)
	}
}

func showWindows(build func(*stream.Builder)) {
	d := feed(build)
	for _, r := range processortest.Output(d, minutes).Drain() {
		fmt.Println(r.Key.Key, r.Key.Window.Start.Time().Format("15:04"), r.Value)
	}
}

func feed(build func(*stream.Builder)) *processortest.Driver {
	noon := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	d := processortest.New(exampleT{}, build)
	in := processortest.Input(d, orders)
	in.Put(noon, "ann", 5)
	in.Put(noon.Add(40*time.Second), "bob", 7)
	in.Put(noon.Add(80*time.Second), "ann", 3)
	d.AdvanceTo(noon.Add(2 * time.Minute))
	d.Commit()
	return d
}

func ExampleFrom() {
	show(totals, func(b *stream.Builder) {
		stream.To(stream.From(b, orders), totals)
	})
	// Output:
	// ann 5
	// bob 7
	// ann 3
}

func ExampleTo() {
	b := stream.New("copy")
	stream.To(stream.From(b, orders), totals)
	topology, err := b.Build()
	fmt.Println(topology.SourceTopics(), topology.SinkTopics(), err)
	// Output: [orders] [totals] <nil>
}

func ExampleStream_Filter() {
	show(totals, func(b *stream.Builder) {
		large := stream.From(b, orders).Filter(func(_ string, amount int64) bool { return amount >= 5 })
		stream.To(large, totals)
	})
	// Output:
	// ann 5
	// bob 7
}

func ExampleStream_TryFilter() {
	show(totals, func(b *stream.Builder) {
		b.SkipErrors()
		kept := stream.From(b, orders).TryFilter(func(_ *stream.Context, r *stream.Record[string, int64]) (bool, error) {
			if r.Value == 7 {
				return false, errors.New("7 is not an amount")
			}
			return r.Value > 3, nil
		})
		stream.To(kept, totals)
	})
	// Output: ann 5
}

func ExampleStream_Peek() {
	feed(func(b *stream.Builder) {
		stream.From(b, orders).Peek(func(r *stream.Record[string, int64]) { fmt.Println("saw", r.Key) })
	})
	// Output:
	// saw ann
	// saw bob
	// saw ann
}

func ExampleStream_Merge() {
	b := stream.New("merge")
	stream.To(stream.From(b, orders).Merge(stream.From(b, returns)), totals)
	topology, _ := b.Build()
	fmt.Print(topology.Describe())
	// Output:
	// Topology: merge
	//   Sub-topology: 0
	//     Source: source:orders (topic: orders)
	//       --> merge-2
	//     Source: source:returns (topic: returns)
	//       --> merge-2
	//     Operator: merge-2
	//       --> sink:totals
	//     Sink: sink:totals (topic: totals)
}

func ExampleStream_Branch() {
	show(totals, func(b *stream.Builder) {
		branches := stream.From(b, orders).Branch(
			func(key string, _ int64) bool { return key == "bob" },
			func(_ string, amount int64) bool { return amount > 4 },
		)
		stream.To(branches[2], totals) // the rest
	})
	// Output: ann 3
}

func ExampleMapValues() {
	show(labels, func(b *stream.Builder) {
		text := stream.MapValues(stream.From(b, orders), func(amount int64) string { return strings.Repeat("*", int(amount)) })
		stream.To(text, labels)
	})
	// Output:
	// ann *****
	// bob *******
	// ann ***
}

func ExampleTryMapValues() {
	show(labels, func(b *stream.Builder) {
		where := stream.TryMapValues(stream.From(b, orders), func(c *stream.Context, r *stream.Record[string, int64]) (string, error) {
			origin, _ := c.Origin()
			return fmt.Sprintf("%s offset %d at %s", origin.Topic, origin.Offset, r.Time.Time().Format("15:04:05")), nil
		})
		stream.To(where, labels)
	})
	// Output:
	// ann orders offset 0 at 12:00:00
	// bob orders offset 1 at 12:00:40
	// ann orders offset 2 at 12:01:20
}

func ExampleFlatMapValues() {
	show(totals, func(b *stream.Builder) {
		halves := stream.FlatMapValues(stream.From(b, orders), func(amount int64) iter.Seq[int64] {
			return func(yield func(int64) bool) { _ = yield(amount/2) && yield(amount-amount/2) }
		})
		stream.To(halves, totals)
	})
	// Output:
	// ann 2
	// ann 3
	// bob 3
	// bob 4
	// ann 1
	// ann 2
}

func ExampleTryFlatMapValues() {
	show(labels, func(b *stream.Builder) {
		words := stream.TryFlatMapValues(stream.From(b, orders), func(_ *stream.Context, r *stream.Record[string, int64]) (iter.Seq[string], error) {
			return strings.FieldsSeq(fmt.Sprint("ordered ", r.Value)), nil
		})
		stream.To(words.Filter(func(_, word string) bool { return word != "ordered" }), labels)
	})
	// Output:
	// ann 5
	// bob 7
	// ann 3
}

func ExampleMap() {
	show(labels, func(b *stream.Builder) {
		swapped := stream.Map(stream.From(b, orders), func(who string, amount int64) (string, string) { return fmt.Sprint(amount), who })
		stream.To(swapped, labels)
	})
	// Output:
	// 5 ann
	// 7 bob
	// 3 ann
}

func ExampleTryMap() {
	show(labels, func(b *stream.Builder) {
		b.SkipErrors()
		byAmount := stream.TryMap(stream.From(b, orders), func(_ *stream.Context, r *stream.Record[string, int64]) (string, string, error) {
			if r.Value == 7 {
				return "", "", errors.New("refused")
			}
			return fmt.Sprint(r.Value), r.Key, nil
		})
		stream.To(byAmount, labels)
	})
	// Output:
	// 5 ann
	// 3 ann
}

func ExampleGroupByKey() {
	b := stream.New("rekeyed")
	swapped := stream.Map(stream.From(b, orders), func(who string, amount int64) (int64, string) { return amount, who }, stream.Name("swap"))
	stream.Count("per-amount", stream.GroupByKey(swapped))
	_, err := b.Build()
	fmt.Println(err != nil && strings.Contains(err.Error(), `operator "swap" changed the key`))
	// Output: true
}

func ExampleCount() {
	show(totals, func(b *stream.Builder) {
		counts := stream.Count("orders-per-customer", stream.GroupByKey(stream.From(b, orders)))
		stream.To(counts.Changes(), totals)
	})
	// Output:
	// ann 2
	// bob 1
}

func ExampleEmit() {
	show(totals, func(b *stream.Builder) {
		counts := stream.Count("orders-per-customer", stream.GroupByKey(stream.From(b, orders)), stream.Emit(windowing.OnUpdate))
		stream.To(counts.Changes(), totals)
	})
	// Output:
	// ann 1
	// bob 1
	// ann 2
}

func ExampleReduce() {
	show(totals, func(b *stream.Builder) {
		sum := func(acc, amount int64) int64 { return acc + amount }
		spent := stream.Reduce("spent", stream.GroupByKey(stream.From(b, orders)), sum, serde.Int64)
		stream.To(spent.Changes(), totals)
	})
	// Output:
	// ann 8
	// bob 7
}

func ExampleAggregate() {
	show(labels, func(b *stream.Builder) {
		list := stream.Aggregator[string, int64, string]{
			Zero:  func() string { return "amounts:" },
			Add:   func(_ string, amount int64, acc string) string { return fmt.Sprint(acc, " ", amount) },
			State: serde.String,
		}
		all := stream.Aggregate("amounts", stream.GroupByKey(stream.From(b, orders)), list)
		stream.To(all.Changes(), labels)
	})
	// Output:
	// ann amounts: 5 3
	// bob amounts: 7
}

// last keeps the offset of the last order; it cannot tell without a source.
var last = stream.TryAggregator[string, int64, int64]{
	Add: func(c *stream.Context, _ *stream.Record[string, int64], _ int64) (int64, error) {
		origin, ok := c.Origin()
		if !ok {
			return 0, errors.New("not called by a record")
		}
		return origin.Offset, nil
	},
	State: serde.Int64,
}

func ExampleTryAggregate() {
	show(totals, func(b *stream.Builder) {
		stream.To(stream.TryAggregate("last-offset", stream.GroupByKey(stream.From(b, orders)), last).Changes(), totals)
	})
	// Output:
	// ann 2
	// bob 1
}

// perMinute cuts the orders into minutes with final results.
func perMinute(b *stream.Builder) stream.TimeWindowed[string, int64] {
	in := stream.From(b, orders, stream.Watermark(windowing.Bounded(5*time.Second)))
	return stream.Window(stream.GroupByKey(in), windowing.Tumbling(time.Minute).Emit(windowing.OnClose))
}

func ExampleWindow() {
	showWindows(func(b *stream.Builder) {
		in := stream.From(b, orders)
		overlapping := windowing.Hopping(time.Minute, 30*time.Second).Emit(windowing.OnClose)
		stream.To(stream.CountWindows("hops", stream.Window(stream.GroupByKey(in), overlapping)).Results, minutes)
	})
	// Output:
	// ann 11:59 1
	// ann 12:00 1
	// bob 12:00 1
	// ann 12:00 1
	// bob 12:00 1
	// ann 12:01 1
}

func ExampleCountWindows() {
	showWindows(func(b *stream.Builder) {
		counted := stream.CountWindows("orders-per-minute", perMinute(b))
		stream.To(counted.Results, minutes)
	})
	// Output:
	// ann 12:00 1
	// bob 12:00 1
	// ann 12:01 1
}

func ExampleReduceWindows() {
	showWindows(func(b *stream.Builder) {
		largest := stream.ReduceWindows("largest-per-minute", perMinute(b), func(acc, v int64) int64 { return max(acc, v) }, serde.Int64)
		stream.To(largest.Results, minutes)
	})
	// Output:
	// ann 12:00 5
	// bob 12:00 7
	// ann 12:01 3
}

func ExampleAggregateWindows() {
	showWindows(func(b *stream.Builder) {
		squares := stream.Aggregator[string, int64, int64]{
			Add: func(_ string, v, acc int64) int64 { return acc + v*v }, State: serde.Int64,
		}
		stream.To(stream.AggregateWindows("squares-per-minute", perMinute(b), squares).Results, minutes)
	})
	// Output:
	// ann 12:00 25
	// bob 12:00 49
	// ann 12:01 9
}

// Each order is in six windows and still costs one update, as the largest of
// values does not depend on their order.
func ExampleCombineReduce() {
	showWindows(func(b *stream.Builder) {
		hops := windowing.Hopping(time.Minute, 10*time.Second).Emit(windowing.OnClose)
		largest := func(acc, v int64) int64 { return max(acc, v) }
		in := stream.Window(stream.GroupByKey(stream.From(b, orders)), hops)
		results := stream.ReduceWindows("largest", in, largest, serde.Int64, stream.CombineReduce()).Results
		stream.To(results.Filter(func(k windowing.Key[string], _ int64) bool { return k.Window.Start.Time().Second() == 30 }), minutes)
	})
	// Output:
	// ann 11:59 5
	// ann 12:00 3
	// bob 12:00 7
}

func ExampleTryAggregateWindows() {
	showWindows(func(b *stream.Builder) {
		stream.To(stream.TryAggregateWindows("last-offset-per-minute", perMinute(b), last).Results, minutes)
	})
	// Output:
	// ann 12:00 0
	// bob 12:00 1
	// ann 12:01 2
}

func ExampleBuilder_DeadLetter() {
	d := feed(func(b *stream.Builder) {
		b.DeadLetter("dead")
		refused := stream.TryMapValues(stream.From(b, orders), func(_ *stream.Context, r *stream.Record[string, int64]) (int64, error) {
			if r.Key == "bob" {
				return 0, errors.New("no credit")
			}
			return r.Value, nil
		})
		stream.To(refused, totals)
	})
	letters := processortest.Output(d, stream.Topic[string, int64]{Name: "dead", Key: serde.String, Value: serde.Int64})
	for _, r := range letters.Drain() {
		fmt.Println(r.Key, r.Value)
		for _, h := range r.Headers[:2] {
			fmt.Printf("%s: %s\n", h.Key, h.Value)
		}
	}
	// Output:
	// bob 7
	// __streams.errors.exception: *errors.errorString
	// __streams.errors.message: no credit
}

func ExampleGroupBy() {
	show(totals, func(b *stream.Builder) {
		size := func(_ string, amount int64) string {
			if amount >= 5 {
				return "large"
			}
			return "small"
		}
		bySize := stream.GroupBy("by-size", stream.From(b, orders), size, serde.String, serde.Int64)
		stream.To(stream.Count("orders-per-size", bySize).Changes(), totals)
	})
	// Output:
	// large 2
	// small 1
}

func ExampleRepartition() {
	b := stream.New("repartition")
	spread := stream.Repartition("spread", stream.From(b, orders), serde.String, serde.Int64, stream.Partitions(12))
	stream.To(spread, totals)
	topology, _ := b.Build()
	for _, r := range topology.Bind("shop").Repartitions() {
		fmt.Println(r.Topic, r.Partitions)
	}
	// Output: shop-spread-repartition 12
}

// A Try function may add headers to what it passes on.
func ExampleHeader() {
	d := feed(func(b *stream.Builder) {
		marked := stream.TryMapValues(stream.From(b, orders), func(_ *stream.Context, r *stream.Record[string, int64]) (int64, error) {
			r.Headers = r.Headers.With(stream.Header{Key: "currency", Value: []byte("EUR")})
			return r.Value, nil
		})
		stream.To(marked, totals)
	})
	for _, r := range processortest.Output(d, totals).Drain() {
		fmt.Printf("%s %d %s=%s\n", r.Key, r.Value, r.Headers[0].Key, r.Headers[0].Value)
	}
	// Output:
	// ann 5 currency=EUR
	// bob 7 currency=EUR
	// ann 3 currency=EUR
}
