package stream_test

import (
	"testing"
	"time"

	"github.com/millrace/millrace/processor/stream"
	"github.com/millrace/millrace/schemaregistry/serde"
	"github.com/millrace/millrace/windowing"
)

// BenchmarkSessionCount is the engine alone: a count of sessions over batches in memory, with commits but no Kafka. A
// key comes every 200 ms of event time, so that the sessions of one sub-benchmark go on, and those of the other close
// every few records.
func BenchmarkSessionCount(b *testing.B) {
	for _, c := range []struct {
		name string
		gap  time.Duration
	}{{"going on", 10 * time.Second}, {"closing", 300 * time.Millisecond}} {
		b.Run(c.name, func(b *testing.B) {
			out := stream.Topic[windowing.Key[benchKey], int64]{Name: "out", Key: windowing.SessionKeySerde(benchIn.Key), Value: serde.Int64}
			e := newEngine(b, func(sb *stream.Builder) {
				w := windowing.Session(c.gap).Emit(windowing.OnClose)
				stream.To(stream.CountWindows("visits", stream.Window(stream.GroupByKey(stream.From(sb, benchIn)), w)).Results, out)
			})
			e.measure(b)
			b.StopTimer()
			if err := e.task.Advance(1 << 50); err != nil {
				b.Fatal(err)
			}
			e.commit()
			if e.sum != e.offset {
				b.Fatalf("the sessions count %d of %d records", e.sum, e.offset)
			}
		})
	}
}
