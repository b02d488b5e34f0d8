package stream_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace/processor/processortest"
	"github.com/millrace/millrace/processor/stream"
	"github.com/millrace/millrace/schemaregistry/serde"
	"github.com/millrace/millrace/windowing"
)

var windowsComplete = stream.Topic[string, string]{Name: "windows.watermarks", Key: serde.String, Value: serde.String}

func completeWindows(b *stream.Builder) {
	in := stream.From(b, numbers, stream.Watermark(windowing.Bounded(10*time.Second)))
	minute := windowing.Tumbling(time.Minute).Grace(20 * time.Second).Emit(windowing.OnClose)
	stream.To(stream.CountWindows("counts", stream.Window(stream.GroupByKey(in), minute)).Results, windows, stream.Completeness())
}

// complete renders what a completeness topic was told, as task:seconds.
func complete(t *testing.T, marks *processortest.OutputTopic[string, string], tasks string) string {
	t.Helper()
	var parts []string
	for _, r := range marks.Drain() {
		ms, err := strconv.ParseInt(r.Value, 10, 64)
		if err != nil {
			t.Fatalf("the value %q is no time: %v", r.Value, err)
		}
		if len(r.Headers) != 1 || r.Headers[0].Key != stream.HeaderTasks || string(r.Headers[0].Value) != tasks {
			t.Errorf("headers %v", r.Headers)
		}
		parts = append(parts, fmt.Sprintf("%s:%d", r.Key, secs(windowing.EventTime(ms))))
	}
	return strings.Join(parts, " ")
}

func TestCompletenessGoesWithTheRecords(t *testing.T) {
	d := processortest.New(t, completeWindows)
	in, marks := processortest.Input(d, numbers), processortest.Output(d, windowsComplete)
	in.Put(at(40), "a", 1)
	in.Put(at(89), "a", 1) // watermark 79, passed 59
	expect(t, complete(t, marks, "1"), "")
	d.Commit()
	expect(t, complete(t, marks, "1"), "0:59")
	in.Put(at(70), "a", 1)
	d.Commit()
	expect(t, complete(t, marks, "1"), "") // it has not moved
	in.Put(at(91), "a", 1)                 // watermark 81: the first window is closed
	d.Abort()
	expect(t, complete(t, marks, "1"), "")
	d.Commit()
	expect(t, complete(t, marks, "1"), "0:61")
	expect(t, briefWindows(processortest.Output(d, windows).Drain()), "a[0,60)=1@59999")
	d.Crash()
	in.Put(at(95), "a", 1)
	d.Commit()
	expect(t, complete(t, marks, "1"), "0:65")
}

// TestCompletenessOfEachTask: every task that writes the topic has its key, and
// none of its results is earlier than what it said before.
func TestCompletenessOfEachTask(t *testing.T) {
	const tasks = 3
	d := processortest.New(t, completeWindows, processortest.Partitions(tasks))
	in, out, marks := processortest.Input(d, numbers), processortest.Output(d, windows), processortest.Output(d, windowsComplete)
	said := map[int32]int64{}
	results := 0
	for i := range 600 {
		in.Put(at(i*3), fmt.Sprint("key", i%17), 1)
		if i%20 != 19 {
			continue
		}
		d.Commit()
		for _, r := range out.Drain() { // the key's partition is the task's
			if results++; r.Time.UnixMilli() < said[r.Partition] {
				t.Errorf("a result of %v, though task %d was complete up to %v", r.Time, r.Partition, time.UnixMilli(said[r.Partition]))
			}
		}
		for _, r := range marks.Drain() {
			n, err := strconv.Atoi(r.Key)
			ms, err2 := strconv.ParseInt(r.Value, 10, 64)
			if err != nil || err2 != nil || ms <= said[int32(n)] {
				t.Fatalf("task %q went from %d to %q", r.Key, said[int32(n)], r.Value)
			}
			said[int32(n)] = ms
		}
	}
	if len(said) != tasks || results < 100 {
		t.Errorf("%d tasks were heard, %d results", len(said), results)
	}
}
