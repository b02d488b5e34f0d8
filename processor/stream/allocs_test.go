package stream_test

import (
	"testing"
	"time"

	"github.com/millrace/millrace/processor/stream"
	"github.com/millrace/millrace/schemaregistry/serde"
	"github.com/millrace/millrace/windowing"
)

// perBatch is what taking a whole batch may allocate, however many records it
// has: its place in the queue, and now and then a new window.
const perBatch = 4

// The budget of the hot path: a record that meets a key and a window that are
// known allocates nothing, from the queue to the overlay and the outbox.
func TestRecordsAllocateNothing(t *testing.T) {
	grouped := func(sb *stream.Builder) stream.Grouped[benchKey, int64] {
		return stream.GroupByKey(stream.From(sb, benchIn))
	}
	windows := func(w windowing.Definition) func(*stream.Builder) {
		return func(sb *stream.Builder) {
			stream.To(stream.CountWindows("count", stream.Window(grouped(sb), w)).Results, benchOut)
		}
	}
	sessions := func(emit windowing.Emit) func(*stream.Builder) {
		return func(sb *stream.Builder) {
			w := windowing.Session(10 * time.Second).Emit(emit)
			out := benchOut
			out.Key = windowing.SessionKeySerde(benchIn.Key)
			stream.To(stream.CountWindows("count", stream.Window(grouped(sb), w)).Results, out)
		}
	}
	second, ten := time.Second, 10*time.Second
	tests := map[string]func(*stream.Builder){
		"map": func(sb *stream.Builder) {
			s := stream.MapValues(stream.From(sb, benchIn).Filter(func(benchKey, int64) bool { return true }), func(v int64) int64 { return v + 1 })
			stream.To(s, stream.Topic[benchKey, int64]{Name: "out", Key: benchIn.Key, Value: serde.Int64})
		},
		"event time and marker": func(sb *stream.Builder) {
			in := benchIn
			in.EventTime = func(r *stream.Record[benchKey, int64]) time.Time { return r.Time.Time() }
			in.Marker = func(r *stream.Record[benchKey, int64]) (time.Time, bool) { return r.Time.Time(), true }
			s := stream.From(sb, in, stream.Watermark(windowing.Punctuated()))
			stream.To(s, stream.Topic[benchKey, int64]{Name: "out", Key: benchIn.Key, Value: serde.Int64})
		},
		"count": func(sb *stream.Builder) {
			stream.To(stream.Count("count", grouped(sb)).Changes(), stream.Topic[benchKey, int64]{Name: "out", Key: benchIn.Key, Value: serde.Int64})
		},
		"process": func(sb *stream.Builder) {
			stream.To(processed(stream.From(sb, benchIn)), stream.Topic[benchKey, int64]{Name: "out", Key: benchIn.Key, Value: serde.Int64})
		},
		"tumble":       windows(windowing.Tumbling(ten)),
		"tumblefinal":  windows(windowing.Tumbling(ten).Emit(windowing.OnClose)),
		"hop":          windows(windowing.Hopping(ten, second)),
		"hopfinal":     windows(windowing.Hopping(ten, second).Emit(windowing.OnClose)),
		"session":      sessions(windowing.OnCommit),
		"sessionfinal": sessions(windowing.OnClose),
	}
	for name, build := range tests {
		t.Run(name, func(t *testing.T) {
			e := newEngine(t, build)
			e.held = true
			for range 2 { // grows the overlay, then the outbox of the next commit
				e.run(benchCommit)
				e.commit()
			}
			e.run(benchCommit / 2)
			const rounds = 20
			if n := testing.AllocsPerRun(rounds, func() { e.run(benchBatch) }); n > perBatch {
				t.Errorf("%v allocations for %d records", n, benchBatch)
			}
		})
	}
}
