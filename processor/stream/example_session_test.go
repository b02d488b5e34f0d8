package stream_test

import (
	"fmt"
	"time"

	"github.com/millrace/millrace/processor/processortest"
	"github.com/millrace/millrace/processor/stream"
	"github.com/millrace/millrace/schemaregistry/serde"
	"github.com/millrace/millrace/windowing"
)

// Ann orders at noon and 80 seconds later, so with a gap of a minute she comes twice.
func ExampleWindow_session() {
	visits := stream.Topic[windowing.Key[string], int64]{Name: "visits", Key: windowing.SessionKeySerde(serde.String), Value: serde.Int64}
	d := feed(func(b *stream.Builder) {
		visit := windowing.Session(time.Minute).Grace(time.Minute)
		orders := stream.GroupByKey(stream.From(b, orders))
		stream.To(stream.CountWindows("visits", stream.Window(orders, visit)).Results, visits)
	})
	out := processortest.Output(d, visits)
	show := func() {
		for _, r := range out.Drain() {
			value := fmt.Sprint(r.Value)
			if r.Tombstone {
				value = "gone"
			}
			fmt.Println(r.Key.Key, r.Key.Window.Start.Time().Format(time.TimeOnly), r.Key.Window.End.Time().Format(time.TimeOnly), value)
		}
	}
	show()
	// An order in between makes the two visits one.
	noon := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	processortest.Input(d, orders).Put(noon.Add(50*time.Second), "ann", 1)
	d.Commit()
	show()
	// Output:
	// ann 12:00:00 12:00:00 1
	// ann 12:01:20 12:01:20 1
	// bob 12:00:40 12:00:40 1
	// ann 12:00:00 12:00:00 gone
	// ann 12:01:20 12:01:20 gone
	// ann 12:00:00 12:01:20 3
}

// What Ann has spent within any 90 seconds: a window ends at each order, and one starts behind the first.
func ExampleWindow_sliding() {
	spent := stream.Topic[windowing.Key[string], int64]{Name: "spent", Key: windowing.KeySerde(serde.String, 90*time.Second), Value: serde.Int64}
	d := feed(func(b *stream.Builder) {
		within := windowing.Sliding(90 * time.Second).Emit(windowing.OnUpdate)
		orders := stream.GroupByKey(stream.From(b, orders))
		sum := func(acc, amount int64) int64 { return acc + amount }
		stream.To(stream.ReduceWindows("spent", stream.Window(orders, within), sum, serde.Int64).Results, spent)
	})
	for _, r := range processortest.Output(d, spent).Drain() {
		fmt.Println(r.Key.Key, r.Key.Window.Start.Time().Format("15:04:05.000"), r.Key.Window.End.Time().Format("15:04:05.000"), r.Value)
	}
	// Output:
	// ann 11:58:30.000 12:00:00.000 5
	// bob 11:59:10.000 12:00:40.000 7
	// ann 11:59:50.000 12:01:20.000 8
	// ann 12:00:00.001 12:01:30.001 3
}

// Visits as they are every half minute, while they last, and when they are over. What was sent of a visit that has
// gone on since is taken back with its next value.
func ExampleWindow_sessionEarly() {
	visits := stream.Topic[windowing.Key[string], int64]{Name: "visits", Key: windowing.SessionKeySerde(serde.String), Value: serde.Int64}
	d := feed(func(b *stream.Builder) {
		visit := windowing.Session(90 * time.Second).Emit(windowing.OnTime).Early(30 * time.Second)
		orders := stream.GroupByKey(stream.From(b, orders))
		stream.To(stream.CountWindows("visits", stream.Window(orders, visit)).Results, visits)
	})
	d.AdvanceTo(time.Date(2026, 1, 1, 12, 5, 0, 0, time.UTC))
	d.Commit()
	for _, r := range processortest.Output(d, visits).Drain() {
		value := fmt.Sprint(r.Value)
		if r.Tombstone {
			value = "gone"
		}
		fmt.Println(r.Key.Key, r.Key.Window.Start.Time().Format(time.TimeOnly), r.Key.Window.End.Time().Format(time.TimeOnly), value)
	}
	// Output:
	// ann 12:00:00 12:00:00 1
	// bob 12:00:40 12:00:40 1
	// ann 12:00:00 12:00:00 gone
	// ann 12:00:00 12:01:20 2
	// bob 12:00:40 12:00:40 1
	// ann 12:00:00 12:01:20 2
}

// What anybody has spent within any 90 seconds, as soon as time has passed the end of the window; an order that comes
// later, but within the grace, is added and sent again.
func ExampleWindow_slidingOnTime() {
	spent := stream.Topic[windowing.Key[string], int64]{Name: "spent", Key: windowing.KeySerde(serde.String, 90*time.Second), Value: serde.Int64}
	d := feed(func(b *stream.Builder) {
		within := windowing.Sliding(90 * time.Second).Grace(2 * time.Minute).Emit(windowing.OnTime)
		orders := stream.GroupByKey(stream.From(b, orders))
		sum := func(acc, amount int64) int64 { return acc + amount }
		stream.To(stream.ReduceWindows("spent", stream.Window(orders, within), sum, serde.Int64).Results, spent)
	})
	noon := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	processortest.Input(d, orders).Put(noon.Add(35*time.Second), "bob", 1)
	d.Commit()
	for _, r := range processortest.Output(d, spent).Drain() {
		fmt.Println(r.Key.Key, r.Key.Window.Start.Time().Format("15:04:05.000"), r.Key.Window.End.Time().Format("15:04:05.000"), r.Value)
	}
	// Output:
	// ann 11:58:30.000 12:00:00.000 5
	// bob 11:59:10.000 12:00:40.000 7
	// ann 11:59:50.000 12:01:20.000 8
	// ann 12:00:00.001 12:01:30.001 3
	// bob 11:59:05.000 12:00:35.000 1
	// bob 11:59:10.000 12:00:40.000 8
}
