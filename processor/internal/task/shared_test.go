package task_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/millrace/millrace/processor/internal/graph"
	"github.com/millrace/millrace/processor/internal/task"
	"github.com/millrace/millrace/schemaregistry/serde"
	"github.com/millrace/millrace/state"
)

// lines has what two nodes have written for each key, in their order.
var lines = state.KV[string, string]{Name: "lines", Key: serde.String, Value: serde.String}

// sharing is a node "keep" that adds each word to its line, and behind it a node
// "join" that adds each number, and writes the line to "out" for each word that
// comes through. Both fail at what is "bad", behind what they have done.
func sharing() *meeting {
	m := newMeeting()
	m.SetPolicy(graph.ErrorPolicy{OnError: graph.Skip})
	for _, node := range []string{"keep", "join"} {
		m.ShareStore(node, lines.Spec())
	}
	kept := m.Add(graph.Node{
		Name: "keep", Kind: graph.OperatorNode, Stores: []string{lines.Name},
		Instantiate: func(env *graph.Env, node *graph.Node, children [][]any) (graph.Instance, error) {
			down, err := graph.Fan[string, string](node, children[0])
			if err != nil {
				return graph.Instance{}, err
			}
			line, err := lines.Open(env)
			return graph.Instance{Receive: graph.One(func(r *words) error {
				return errors.Join(write(env, node, line, r.Key, r.Value), down(r))
			})}, err
		},
	}, m.words)
	m.Add(graph.Node{
		Name: "join", Kind: graph.SinkNode, Topic: "out", Stores: []string{lines.Name},
		Instantiate: func(env *graph.Env, node *graph.Node, _ [][]any) (graph.Instance, error) {
			line, err := lines.Open(env)
			return graph.Instance{Receive: graph.Two(
				func(r *words) error {
					v, _, err := line.Get(r.Key)
					env.Outbox.Send(graph.Out{Topic: "out", Value: []byte(v)})
					return err
				},
				func(r *numbers) error { return write(env, node, line, r.Key, fmt.Sprint(r.Value)) },
			)}, err
		},
	}, graph.Edge{From: kept}, m.numbers.Into(1))
	return m
}

// write adds a value to the line of a key, and then fails if it is bad: "bad", or
// the number of its letters.
func write(env *graph.Env, node *graph.Node, line *state.KeyValueStore[string, string], key, value string) error {
	env.CountersOf(node).In++
	v, _, err := line.Update(key)
	if err != nil {
		return err
	}
	*v += value
	if value == "bad" || value == "3" {
		return &graph.RecordError{Operator: node.Name, Phase: graph.PhaseProcess, Err: errors.New("bad")}
	}
	env.CountersOf(node).Processed++
	return nil
}

// TestTwoNodesHaveOneStore: each reads what the other has written, and a record that
// fails in either leaves nothing.
func TestTwoNodesHaveOneStore(t *testing.T) {
	topology, err := sharing().Build()
	if err != nil {
		t.Fatal(err)
	}
	if n := len(topology.Subtopologies()); n != 1 {
		t.Fatalf("%d sub-topologies", n)
	}
	cfg := configOf(t, topology)
	cfg.Careful = task.CarefulRecords
	x := newTask(t, cfg)
	for i, v := range strings.Fields("a bad 1 333 b bad 22 c") {
		input := 0
		if v[0] < 'a' {
			input = 1
		}
		feed(t, x, input, messages(int64(i), v))
		step(t, x)
	}
	c := prepare(t, x)
	if got := values(c, "out"); got != "a a1b a1b2c" {
		t.Errorf("out has %q", got)
	}
	if got := string(c.Entries[0].Value); len(c.Entries) != 2 || got != "a1b2c" {
		t.Errorf("%d entries, the first has %q", len(c.Entries), got)
	}
	for id, want := range map[graph.NodeID]int64{0: 2, 1: 1} { // a record that fails is counted at its source
		if n := c.Counters[id].Dropped[graph.Process]; n != want {
			t.Errorf("source %d: %d have failed, want %d", id, n, want)
		}
	}
	checkAccounts(t, c)
}
