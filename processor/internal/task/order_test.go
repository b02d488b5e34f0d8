package task_test

import (
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace/processor/internal/graph"
	"github.com/millrace/millrace/processor/internal/task"
	"github.com/millrace/millrace/processor/stream"
	"github.com/millrace/millrace/schemaregistry/serde"
	"github.com/millrace/millrace/windowing"
)

// sent is the keys of a commit's outputs, in their order, without the bounds of
// their sessions.
func sent(c *task.Commit) string {
	var keys []string
	for _, o := range c.Outputs {
		keys = append(keys, string(o.Key[:1]))
	}
	return strings.Join(keys, "")
}

// TestKeysComeInTheOrderOfTheirInterval: it begins when the commit before was
// taken, though that is still on its way. Two commits that are undone together
// are one interval of the replay.
func TestKeysComeInTheOrderOfTheirInterval(t *testing.T) {
	cfg := config(t, func(b *stream.Builder) {
		w := windowing.Session(time.Hour)
		stream.To(stream.CountWindows("visits", stream.Window(stream.GroupByKey(stream.From(b, left)), w)).Results,
			stream.Topic[windowing.Key[string], int64]{Name: "out", Value: serde.Int64})
	})
	record := func(offset int64, key string) graph.Message {
		return graph.Message{Key: []byte(key), Value: []byte("v"), Offset: offset, Timestamp: 1}
	}
	first, second := []graph.Message{record(0, "b"), record(1, "a"), record(2, "b")}, []graph.Message{record(3, "a"), record(4, "c"), record(5, "b")}
	x := newTask(t, cfg)
	feed(t, x, 0, first)
	step(t, x)
	if got := sent(prepare(t, x)); got != "ba" {
		t.Errorf("the first commit has %s", got)
	}
	feed(t, x, 0, second)
	step(t, x)
	if got := sent(prepare(t, x)); got != "acb" {
		t.Errorf("the second, while the first is on its way, has %s", got)
	}
	cfg.Stores.Discard()
	x = newTask(t, cfg)
	feed(t, x, 0, append(first, second...))
	step(t, x)
	if got := sent(prepare(t, x)); got != "bac" {
		t.Errorf("when both were undone the replay has %s", got)
	}
}
