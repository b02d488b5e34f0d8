package task_test

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace/processor/internal/graph"
	"github.com/millrace/millrace/processor/internal/task"
	"github.com/millrace/millrace/processor/stream"
	"github.com/millrace/millrace/schemaregistry/serde"
	"github.com/millrace/millrace/windowing"
)

// mind is user code that cannot cope with one value.
func mind(value string) {
	if value == "bad" {
		panic("user code")
	}
}

// minding is a codec of user code.
type minding struct{}

func (minding) Append(dst []byte, s string) ([]byte, error) { return append(dst, s...), nil }

func (minding) Decode(src []byte) (string, error) {
	mind(string(src))
	return string(src), nil
}

// TestAPanicOverTheTimeOfARecordIsItsFailure: in what tells the time, and in the
// codec that is used for it. All of that runs before anybody sees that a record
// is to be skipped, so it must not come to a replay.
func TestAPanicOverTheTimeOfARecordIsItsFailure(t *testing.T) {
	timed, marked, decoded := left, left, left
	timed.EventTime = func(r *stream.Record[string, string]) time.Time { mind(r.Value); return r.Time.Time() }
	marked.Marker = func(r *stream.Record[string, string]) (time.Time, bool) { mind(r.Value); return r.Time.Time(), true }
	decoded.EventTime = func(r *stream.Record[string, string]) time.Time { return r.Time.Time() }
	decoded.Value = serde.Of[string](minding{})
	type records = stream.Stream[string, string]
	for name, from := range map[string]func(*stream.Builder) records{
		"event time":     func(b *stream.Builder) records { return stream.From(b, timed) },
		"several inputs": func(b *stream.Builder) records { return stream.From(b, timed).Merge(stream.From(b, right)) },
		"marker": func(b *stream.Builder) records {
			return stream.From(b, marked, stream.Watermark(windowing.Punctuated()))
		},
		"codec": func(b *stream.Builder) records { return stream.From(b, decoded) },
	} {
		t.Run(name, func(t *testing.T) {
			x := newTask(t, config(t, func(b *stream.Builder) {
				b.DeadLetter("dead")
				stream.To(from(b), out)
			}))
			feed(t, x, 0, messages(0, "a", "bad", "b"))
			if n := step(t, x); n != 3 {
				t.Errorf("%d of 3 records", n)
			}
			c := prepare(t, x)
			if got := values(c, "out"); got != "a b" {
				t.Errorf("out has %q", got)
			}
			if got := values(c, "dead"); got != "bad" {
				t.Errorf("the dead letter is %q", got)
			}
			checkAccounts(t, c)
		})
	}
}

// A mine is an operator that panics at whatever time arrives, once it is armed.
type mine struct{ armed bool }

func (m *mine) Advance(windowing.EventTime) error {
	if m.armed {
		panic("user code")
	}
	return nil
}

func (*mine) Due() windowing.EventTime { return windowing.MaxTime }

func (*mine) Passed() windowing.EventTime { return windowing.NoTime }

// A still is a source of which nothing but the time is used.
type still struct{}

func (still) Time(m *graph.Message) (windowing.EventTime, error) {
	return windowing.EventTime(m.Timestamp), nil
}

func (still) Mark(*graph.Message) (windowing.EventTime, bool, error) { return 0, false, nil }

func (still) Push(*graph.Message, windowing.EventTime, windowing.EventTime) error { return nil }

// mined is a task with a mine behind a source topic and a repartition topic.
func mined(t *testing.T, m *mine) *task.Task {
	t.Helper()
	b := graph.NewBuilder("test")
	source := func(topic string, internal bool) graph.Edge {
		return graph.Edge{From: b.Add(graph.Node{
			Name: topic, Kind: graph.SourceNode, Topic: topic, Internal: internal, Watermarks: windowing.Ascending().Idle(time.Second),
			Instantiate: func(*graph.Env, *graph.Node, [][]any) (graph.Instance, error) {
				return graph.Instance{Source: still{}}, nil
			},
		})}
	}
	b.Add(graph.Node{
		Name: "mine", Kind: graph.OperatorNode,
		Instantiate: func(*graph.Env, *graph.Node, [][]any) (graph.Instance, error) {
			return graph.Instance{Receive: graph.One(func(*graph.Record[string, string]) error { return nil }), Timed: m}, nil
		},
	}, source("left", false), source("by", true))
	topology, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	cfg := task.Config{Subtopology: topology.Subtopologies()[0], MaxIdle: -1}
	for _, topic := range cfg.Subtopology.Sources {
		cfg.Inputs = append(cfg.Inputs, task.Input{Topic: topic, Watermark: math.MinInt64, End: math.MaxInt64})
	}
	return newTask(t, cfg)
}

// TestAPanicOfWhatFiresIsAnError of every call that lets time pass: the process
// and what else runs in it go on.
func TestAPanicOfWhatFiresIsAnError(t *testing.T) {
	const now = 1_000_000
	for name, call := range map[string]func(*task.Task) error{
		"Step": func(x *task.Task) error {
			feed(t, x, 0, []graph.Message{{Value: []byte("v"), Offset: 1, Timestamp: 20}})
			_, err := x.Step(now, 1)
			return err
		},
		"Prepare": func(x *task.Task) error {
			_, err := x.Prepare()
			return err
		},
		"AtEnd": func(x *task.Task) error {
			if err := x.AtEnd(0, 1, moment(now)); err != nil {
				return err
			}
			return x.AtEnd(0, 1, moment(now+1000)) // the partition is idle now
		},
		"Tick":    func(x *task.Task) error { return x.Tick(now + 60_000) }, // what was said of the other is too old
		"Advance": func(x *task.Task) error { return x.Advance(50) },
	} {
		t.Run(name, func(t *testing.T) {
			var m mine
			x := mined(t, &m)
			stamp := graph.Stamp{Tasks: 1, Passed: graph.Time{Watermark: 5, Idle: true}, Control: true}
			feed(t, x, 0, []graph.Message{{Value: []byte("v"), Timestamp: 10}})
			feed(t, x, 1, []graph.Message{{Headers: []graph.Header{{Key: graph.HeaderStamp, Value: stamp.Append(nil)}}}})
			if n, err := x.Step(now, 10); n != 2 || err != nil {
				t.Fatalf("%d of 2 records, %v", n, err)
			}
			m.armed = true
			defer func() {
				if p := recover(); p != nil {
					t.Errorf("it panics: %v", p)
				}
			}()
			err := call(x)
			if err == nil || !strings.Contains(err.Error(), "task 0_0") || !strings.Contains(err.Error(), "user code") {
				t.Errorf("the error is %v", err)
			}
			if scope, _ := task.Classify(err); scope != task.TaskScope {
				t.Errorf("scope %v", scope)
			}
		})
	}
}
