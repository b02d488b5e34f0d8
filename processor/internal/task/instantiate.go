package task

import (
	"fmt"

	"github.com/millrace/millrace/processor/internal/graph"
	"github.com/millrace/millrace/state"
	"github.com/millrace/millrace/windowing"
)

// A node is one instance in its place: the parents that bring it the time, by index
// into Task.nodes, and the time that holds behind it.
type node struct {
	recipe  *graph.Node
	inst    graph.Instance
	parents []int
	input   *input // of a source
	passed  graph.Time
}

// instantiate builds every node of the sub-topology, children first, and then
// one input for each source.
func (t *Task) instantiate() error {
	recipes := t.cfg.Subtopology.Nodes
	at := make(map[graph.NodeID]int, len(recipes))
	for i, r := range recipes {
		at[r.ID] = i
	}
	t.nodes = make([]node, len(recipes))
	watched := t.watched(at)
	for i := len(recipes) - 1; i >= 0; i-- {
		n := &t.nodes[i]
		n.recipe, n.passed = recipes[i], graph.Time{Watermark: windowing.NoTime}
		for _, e := range recipes[i].Parents {
			if !e.Untimed {
				n.parents = append(n.parents, at[e.From])
			}
		}
		receivers, err := t.receivers(recipes[i], at)
		if err == nil {
			n.inst, err = recipes[i].Instantiate(t.env, recipes[i], receivers)
		}
		if err != nil {
			return fmt.Errorf("operator %q: %w", recipes[i].Name, err)
		}
		if watched[i] {
			t.watch(n)
		}
	}
	t.findClocked()
	return t.openInputs()
}

// watch has every input of a node say that it is the node which works.
func (t *Task) watch(n *node) {
	for i, receive := range n.inst.Receive {
		if w, ok := receive.(graph.Watchable); ok {
			n.inst.Receive[i] = w.Watched(n.recipe, &t.at)
		}
	}
}

// watched finds the nodes of which has to be known whether they fail: all of a
// CatchUp, and those behind an operator that holds results back.
func (t *Task) watched(at map[graph.NodeID]int) []bool {
	recipes := t.cfg.Subtopology.Nodes
	watched := make([]bool, len(recipes))
	for i, r := range recipes {
		watched[i] = t.cfg.CatchUp != nil
		for _, e := range r.Parents {
			parent := at[e.From]
			watched[i] = watched[i] || watched[parent] || recipes[parent].Holds
		}
	}
	return watched
}

// receivers collects the receivers at the other ends of a node's edges, by port.
func (t *Task) receivers(n *graph.Node, at map[graph.NodeID]int) ([][]any, error) {
	ports := make([][]any, len(n.Ports))
	for p, edges := range n.Ports {
		for _, e := range edges {
			child := &t.nodes[at[e.To]]
			if e.Input >= len(child.inst.Receive) {
				return nil, fmt.Errorf("operator %q has %d inputs, and none with the number %d", child.recipe.Name, len(child.inst.Receive), e.Input)
			}
			ports[p] = append(ports[p], child.inst.Receive[e.Input])
		}
	}
	return ports, nil
}

// findClocked lists the nodes a sweep has to visit: those that act on time or
// on a commit or pass the time on, and all their ancestors. It also lists those that
// hold results back.
func (t *Task) findClocked() {
	needed := make([]bool, len(t.nodes))
	for i := len(t.nodes) - 1; i >= 0; i-- {
		n := &t.nodes[i]
		needed[i] = needed[i] || n.inst.Timed != nil || n.inst.Commit != nil || n.inst.Teller != nil
		for _, p := range n.parents {
			needed[p] = needed[p] || needed[i]
		}
	}
	for i := range t.nodes {
		if needed[i] {
			t.clocked = append(t.clocked, i)
		}
		if t.nodes[i].inst.Leave != nil {
			t.holders = append(t.holders, i)
		}
	}
}

func (t *Task) openInputs() error {
	order := 0
	for i := range t.nodes {
		n := &t.nodes[i]
		if n.recipe.Kind != graph.SourceNode {
			continue
		}
		cfg := t.cfg.Inputs[order]
		if cfg.Topic != n.recipe.Topic {
			return fmt.Errorf("input %d is topic %q, the source reads %q", order, cfg.Topic, n.recipe.Topic)
		}
		var goal *state.Input
		if u := t.cfg.CatchUp; u != nil {
			goal = &u.Held[order]
		}
		n.input = newInput(cfg, n, t.cfg.Run, goal)
		t.inputs = append(t.inputs, n.input)
		t.moved = t.moved || n.input.formats.unsaid(cfg.Formats)
		order++
	}
	return nil
}
