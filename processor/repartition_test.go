package processor_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/millrace/millrace/processor/stream"
	"github.com/millrace/millrace/schemaregistry/serde"
	"github.com/millrace/millrace/windowing"
)

var perWord = stream.Topic[windowing.Key[string], int64]{Name: "counts", Key: windowing.KeySerde(serde.String, time.Minute), Value: serde.Int64}

func wordsPerMinute(b *stream.Builder) {
	split := stream.FlatMapValues(stream.From(b, words), strings.FieldsSeq)
	byWord := stream.GroupBy("by-word", split, func(_, word string) string { return word }, serde.String, serde.String, stream.Partitions(3))
	minute := windowing.Tumbling(time.Minute).Emit(windowing.OnClose)
	stream.To(stream.CountWindows("per-word", stream.Window(byWord, minute)).Results, perWord)
}

// TestBoundedRunAcrossARepartition: two processes share the tasks of both
// sub-topologies; windows close although some partitions are empty, and both
// processes end.
func TestBoundedRunAcrossARepartition(t *testing.T) {
	t.Parallel()
	c := newCluster(t, "words", "counts")
	for i := range 200 {
		at := time.UnixMilli(int64(i) * 1000)
		c.produce(&kgo.Record{Topic: "words", Key: []byte("same"), Value: fmt.Appendf(nil, "all w%d", i%5), Timestamp: at})
	}
	var processes []*run
	for range 2 {
		process := *c
		process.cfg.StateDir = t.TempDir()
		processes = append(processes, process.start(wordsPerMinute))
	}
	for _, p := range processes {
		if err := p.wait(); err != nil {
			t.Fatal(err)
		}
	}
	got := c.consume("counts", 24)
	sum := 0
	for row, n := range got {
		if n != 1 {
			t.Errorf("%q came %d times", row, n)
		}
		_, count, _ := strings.Cut(row, "=")
		var v int
		if _, err := fmt.Sscan(count, &v); err != nil {
			t.Errorf("row %q: %v", row, err)
		}
		sum += v
	}
	if sum != 400 || len(got) != 24 {
		t.Errorf("%d words in %d results, not 400 in 24", sum, len(got))
	}
	if err := c.run(wordsPerMinute); err != nil {
		t.Errorf("the same range again: %v", err)
	}
}
