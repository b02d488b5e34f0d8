package stream_test

import (
	"errors"
	"testing"
	"time"

	"github.com/millrace/millrace/processor/stream"
	"github.com/millrace/millrace/state"
	"github.com/millrace/millrace/windowing"
)

// BenchmarkHoppingCount is BenchmarkWindowedCount with 100 records per key and
// window: in windows of 10 s that do not overlap, in ones that start every
// second, so that each record is in ten, and in the latter without panes. Every
// result is checked to add up. The promise is that windows that overlap cost at
// most a quarter more than windows that do not.
//
// It runs on disk, as processors do: panes bring the store ten times as many new
// keys, and what the engine of tests does with those is no measure.
func BenchmarkHoppingCount(b *testing.B) {
	const overlap = 10
	hopping := windowing.Hopping(overlap*time.Second, time.Second).Emit(windowing.OnClose)
	alone := stream.Aggregator[benchKey, int64, int64]{
		Add: func(_ benchKey, _, acc int64) int64 { return acc + 1 }, State: benchOut.Value,
	}
	for _, c := range []struct {
		name   string
		copies int64
		count  func(g stream.Grouped[benchKey, int64]) stream.Stream[windowing.Key[benchKey], int64]
	}{
		{"windows=tumbling", 1, func(g stream.Grouped[benchKey, int64]) stream.Stream[windowing.Key[benchKey], int64] {
			w := windowing.Tumbling(overlap * time.Second).Emit(windowing.OnClose)
			return stream.CountWindows("count", stream.Window(g, w)).Results
		}},
		{"windows=hopping", overlap, func(g stream.Grouped[benchKey, int64]) stream.Stream[windowing.Key[benchKey], int64] {
			return stream.CountWindows("count", stream.Window(g, hopping)).Results
		}},
		{"windows=hopping-without-panes", overlap, func(g stream.Grouped[benchKey, int64]) stream.Stream[windowing.Key[benchKey], int64] {
			return stream.AggregateWindows("count", stream.Window(g, hopping), alone).Results
		}},
	} {
		b.Run(c.name, func(b *testing.B) {
			disk, err := state.OpenDisk(b.TempDir(), "bench", state.DiskOptions{})
			if err != nil {
				b.Fatal(err)
			}
			e := newEngineOn(b, disk, func(sb *stream.Builder) {
				stream.To(c.count(stream.GroupByKey(stream.From(sb, benchIn))), benchOut)
			})
			e.rate = 100 * benchKeys / (overlap * 1000)
			e.measure(b)
			b.StopTimer()
			if err := e.task.Advance(1 << 50); err != nil {
				b.Fatal(err)
			}
			e.commit()
			if err := errors.Join(e.task.Close(false), disk.Close()); err != nil {
				b.Fatal(err)
			}
			if e.sum != c.copies*e.offset {
				b.Fatalf("the windows count %d of %d records, each in %d windows", e.sum, e.offset, c.copies)
			}
		})
	}
}
