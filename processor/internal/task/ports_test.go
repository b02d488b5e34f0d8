package task_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/millrace/millrace/processor/internal/graph"
	"github.com/millrace/millrace/processor/internal/task"
	"github.com/millrace/millrace/windowing"
)

// A meeting is a graph whose node "meet" takes words from one source and numbers
// from another, and writes them to "out" as they come.
type meeting struct {
	*graph.Builder
	words, numbers graph.Edge
}

type (
	words   = graph.Record[string, string]
	numbers = graph.Record[string, int]
)

func newMeeting() *meeting {
	m := &meeting{Builder: graph.NewBuilder("test")}
	m.words = graph.Edge{From: m.Add(plainSource("words", func(value []byte) string { return string(value) }))}
	m.numbers = graph.Edge{From: m.Add(plainSource("numbers", func(value []byte) int { return len(value) }))}
	return m
}

// plainSource is a source node of which nothing but the values is used.
func plainSource[V any](topic string, decode func([]byte) V) graph.Node {
	return graph.Node{
		Name: topic, Kind: graph.SourceNode, Topic: topic, Watermarks: windowing.Ascending(),
		Instantiate: func(_ *graph.Env, node *graph.Node, children [][]any) (graph.Instance, error) {
			down, err := graph.Fan[string, V](node, children[0])
			return graph.Instance{Source: plain[V]{decode: decode, down: down}}, err
		},
	}
}

// A plain is a source that decodes nothing but values.
type plain[V any] struct {
	still
	decode func([]byte) V
	down   graph.Receiver[string, V]
}

func (s plain[V]) Push(m *graph.Message, at, _ windowing.EventTime) error {
	return s.down(&graph.Record[string, V]{Key: string(m.Key), Value: s.decode(m.Value), Time: at})
}

// meet adds the node, entered by these edges.
func (m *meeting) meet(edges ...graph.Edge) graph.NodeID {
	return m.Add(graph.Node{
		Name: "meet", Kind: graph.SinkNode, Topic: "out",
		Instantiate: func(env *graph.Env, _ *graph.Node, _ [][]any) (graph.Instance, error) {
			send := func(value string) error {
				env.Outbox.Send(graph.Out{Topic: "out", Value: []byte(value)})
				return nil
			}
			return graph.Instance{Receive: graph.Two(
				func(r *words) error { return send(r.Value) },
				func(r *numbers) error { return send(fmt.Sprint(r.Value)) },
			)}, nil
		},
	}, edges...)
}

func (m *meeting) task(t *testing.T) (*task.Task, error) {
	t.Helper()
	topology, err := m.Build()
	if err != nil {
		return nil, err
	}
	return task.New(configOf(t, topology))
}

// TestInputsHaveTypesOfTheirOwn: what enters by one is not mistaken for the other.
func TestInputsHaveTypesOfTheirOwn(t *testing.T) {
	m := newMeeting()
	m.meet(m.words, m.numbers.Into(1))
	x, err := m.task(t)
	if err != nil {
		t.Fatal(err)
	}
	feed(t, x, 0, messages(0, "a", "b"))
	feed(t, x, 1, messages(1, "four"))
	step(t, x)
	if got := values(prepare(t, x), "out"); got != "a 4 b" && got != "a b 4" {
		t.Errorf("out has %q", got)
	}
}

// TestEdgesAreChecked: into an input of another type, into none, and past one.
func TestEdgesAreChecked(t *testing.T) {
	for want, edges := range map[string]func(*meeting) []graph.Edge{
		`a child of operator "numbers" takes`: func(m *meeting) []graph.Edge { return []graph.Edge{m.words, m.numbers} },
		"none with the number 2":              func(m *meeting) []graph.Edge { return []graph.Edge{m.words, m.numbers.Into(1), m.words.Into(2)} },
		"no edge brings the time":             func(m *meeting) []graph.Edge { return []graph.Edge{m.words.WithoutTime()} },
		"nothing enters it by input 0":        func(m *meeting) []graph.Edge { return []graph.Edge{m.numbers.Into(1)} },
	} {
		m := newMeeting()
		m.meet(edges(m)...)
		if _, err := m.task(t); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("the error is %v, want %s", err, want)
		}
	}
}

// TestASourceSaysWhetherItTakesNull: one that does is given the records without a
// value, others have them dropped and counted.
func TestASourceSaysWhetherItTakesNull(t *testing.T) {
	m := newMeeting()
	m.Node(m.numbers.From).TakesNull = true
	m.meet(m.words, m.numbers.Into(1))
	x, err := m.task(t)
	if err != nil {
		t.Fatal(err)
	}
	for input := range 2 {
		feed(t, x, input, []graph.Message{{Key: []byte("k"), Timestamp: 1}})
	}
	step(t, x)
	c := prepare(t, x)
	if got := values(c, "out"); got != "0" {
		t.Errorf("out has %q", got)
	}
	for id, drops := range map[graph.NodeID]int64{m.words.From: 1, m.numbers.From: 0} {
		if n := c.Counters[id]; n.Dropped[graph.NullValue] != drops || n.Processed != 1-drops {
			t.Errorf("source %d has dropped %d and processed %d", id, n.Dropped[graph.NullValue], n.Processed)
		}
	}
}

// TestAnUntimedEdgeHoldsNothingBack: behind it the time is that of the others.
func TestAnUntimedEdgeHoldsNothingBack(t *testing.T) {
	for _, untimed := range []bool{false, true} {
		m := newMeeting()
		numbers := m.numbers.Into(1)
		if untimed {
			numbers = numbers.WithoutTime()
		}
		passed := windowing.NoTime
		id := m.meet(m.words, numbers)
		meet := m.Node(id).Instantiate
		m.Node(id).Instantiate = func(env *graph.Env, node *graph.Node, children [][]any) (graph.Instance, error) {
			inst, err := meet(env, node, children)
			inst.Timed = timed(func(at windowing.EventTime) { passed = at })
			return inst, err
		}
		x, err := m.task(t)
		if err != nil {
			t.Fatal(err)
		}
		feed(t, x, 0, messages(7, "a"))
		step(t, x)
		if want := windowing.EventTime(70); untimed && passed != want || !untimed && passed != windowing.NoTime {
			t.Errorf("untimed %v: the time is %v", untimed, passed)
		}
		x.Time()
	}
}

// A timed is an operator that looks at the time.
type timed func(windowing.EventTime)

func (f timed) Advance(merged windowing.EventTime) error {
	f(merged)
	return nil
}

func (timed) Due() windowing.EventTime { return windowing.MaxTime }

func (timed) Passed() windowing.EventTime { return windowing.NoTime }
