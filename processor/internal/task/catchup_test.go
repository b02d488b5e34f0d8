package task_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/millrace/millrace/processor/internal/graph"
	"github.com/millrace/millrace/processor/internal/task"
	"github.com/millrace/millrace/processor/stream"
	"github.com/millrace/millrace/schemaregistry/serde"
	"github.com/millrace/millrace/state"
	"github.com/millrace/millrace/windowing"
)

// minded is user code that fails over a text, or panics.
func minded(text, place string) error {
	switch text {
	case place:
		return errors.New("it fails " + place)
	case place + "!":
		panic("it panics " + place)
	}
	return nil
}

// around has user code before and behind a store; both operators have one name.
func around(b *stream.Builder) {
	b.DeadLetter("dead", stream.NullKey)
	in := stream.TryMapValues(stream.From(b, left), func(_ *stream.Context, r *stream.Record[string, string]) (string, error) {
		return r.Value, minded(r.Value, "before")
	}, stream.Name("check"))
	totals := stream.Count("totals", stream.GroupByKey(in), stream.Emit(windowing.OnUpdate)).Changes()
	stream.To(stream.TryMapValues(totals, func(_ *stream.Context, r *stream.Record[string, int64]) (string, error) {
		return "", minded(r.Key, "behind")
	}, stream.Name("check")), stream.Topic[string, string]{Name: "out", Key: serde.String, Value: serde.String})
}

// TestACatchUpTellsWhatNobodyHasToldBefore: what fails or is dropped before the
// stores that were away was a dead letter of the version that went on, and was
// counted by it; what fails in them or behind them is news.
func TestACatchUpTellsWhatNobodyHasToldBefore(t *testing.T) {
	cfg := config(t, around)
	sub, before, err := cfg.Subtopology.Around([]string{"totals"}, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	rows := [][2]string{{"a", "fine"}, {"a", "before"}, {"a", "before!"}, {"behind", "fine"}, {"behind!", "fine"}, {"", "fine"}, {"b", "fine"}}
	var batch []graph.Message
	for i, r := range rows {
		m := graph.Message{Key: []byte(r[0]), Value: []byte(r[1]), Offset: int64(i), Timestamp: int64(i)}
		if r[0] == "" {
			m.Key = nil
		}
		batch = append(batch, m)
	}
	cfg.Subtopology, cfg.Careful = sub, 100
	cfg.CatchUp = &task.CatchUp{Held: []state.Input{{Topic: "left", Offset: int64(len(rows))}}, Before: before}
	x := newTask(t, cfg)
	feed(t, x, 0, batch)
	if n := step(t, x); n != len(rows) {
		t.Errorf("%d of %d records", n, len(rows))
	}
	c := prepare(t, x)
	checkAccounts(t, c)
	var letters []string
	for _, o := range c.Outputs {
		if o.Topic == "dead" {
			letters = append(letters, string(o.Key))
		}
	}
	if got := strings.Join(letters, " "); got != "behind behind! " {
		t.Errorf("the dead letters are of %q", got)
	}
	for _, id := range before {
		n := c.Counters[id]
		want := int64(0)
		if id == 0 { // of the source
			want = 2
		}
		if n.In != want || n.Processed != 0 || n.Dropped[graph.Process] != want {
			t.Errorf("node %d, which was there all the time, counts %+v", id, n)
		}
	}
	again := prepare(t, x)
	for id := range again.Counters {
		if again.Counters[id] != (graph.Counters{}) {
			t.Errorf("counted twice: %+v", again.Counters)
		}
	}
}
