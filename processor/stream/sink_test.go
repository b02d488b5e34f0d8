package stream_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/millrace/millrace/processor/processortest"
	"github.com/millrace/millrace/processor/stream"
	"github.com/millrace/millrace/windowing"
)

// TestWindowedResultsStayWithTheirKey: a result is in the partition of its key,
// whatever its window, as with Kafka Streams.
func TestWindowedResultsStayWithTheirKey(t *testing.T) {
	const partitions = 5
	d := processortest.New(t, func(b *stream.Builder) {
		in := stream.From(b, numbers)
		stream.To(in, results)
		counts := stream.CountWindows("counts", stream.Window(stream.GroupByKey(in), windowing.Tumbling(time.Minute)))
		stream.To(counts.Results, windows)
	}, processortest.Partitions(partitions))
	in := processortest.Input(d, numbers)
	for i := range 60 {
		in.Put(at(60*i), fmt.Sprint("key", i%20), 1)
	}
	d.Commit()
	home := map[string]int32{}
	used := map[int32]bool{}
	for _, r := range processortest.Output(d, results).Drain() {
		home[r.Key] = r.Partition
		used[r.Partition] = true
	}
	if len(used) != partitions {
		t.Fatalf("only %d of %d partitions are used: the test shows nothing", len(used), partitions)
	}
	got := processortest.Output(d, windows).Drain()
	if len(got) != 60 {
		t.Fatalf("%d results, want 60", len(got))
	}
	for _, r := range got {
		if r.Partition != home[r.Key.Key] {
			t.Errorf("key %q, window of %v: partition %d, want %d", r.Key.Key, r.Key.Window.Start.Time(), r.Partition, home[r.Key.Key])
		}
	}
}
