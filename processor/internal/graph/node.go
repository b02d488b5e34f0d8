package graph

import (
	"fmt"

	"github.com/millrace/millrace/windowing"
)

// NodeID numbers the nodes of a topology in the order they were added, which is
// a topological order: a node is added after its parents.
type NodeID int

// Kind tells sources and sinks from operators.
type Kind uint8

// The kinds of nodes.
const (
	SourceNode Kind = iota
	OperatorNode
	SinkNode
)

// A Node is the recipe of one step. Nodes are immutable once the topology is
// built and shared by all tasks; what changes lives in their Instances.
type Node struct {
	ID    NodeID
	Name  string
	Kind  Kind
	Topic string // sources and sinks
	// Keys is the serde.Serde of the keys of Topic, for those who read or write
	// the topic in a test; nil of operators.
	Keys any
	// Internal marks the two ends of a repartition topic. Topic is then only
	// the operator's part of the name until Topology.Bind has completed it.
	Internal bool
	// Format is what the records of a repartition topic are written in; nil of
	// other topics.
	Format *Format
	// Completeness is the topic to which the sink writes how far the time has
	// come in Topic; empty for none.
	Completeness string
	// Clamped marks a sink that brings times into the bounds of its topic.
	Clamped bool
	// Holds marks an operator that sends what it holds back by Env.Release.
	Holds   bool
	Parents []Edge   // all that enter it; several may enter one input
	Ports   [][]Edge // those that leave it, by port; most nodes have one port
	// Stores are the names of the stores it is connected to: Instantiate may open
	// these. Nodes that share one are in one sub-topology.
	Stores []string
	// Windows are those whose results the operator sends; nil if it has none.
	Windows windowing.Definition
	// Sends is how the order of what leaves an operator by its first port comes
	// about.
	Sends Sending
	// TakesNull has a source take records without a value. Without it the task
	// drops and counts them, as NullValue.
	TakesNull bool
	// Watermarks is the strategy of a source.
	Watermarks windowing.Watermarks
	// Instantiate makes the node's Instance. It gets the receivers at the other
	// ends of its edges, by port.
	Instantiate func(env *Env, node *Node, children [][]any) (Instance, error)
}

// Sending is what the sequence of an operator's results follows from.
type Sending uint8

// The ways of sending.
const (
	// SendsInTurn is for operators whose results follow from what arrives, in
	// its order, and how far the time is.
	SendsInTurn Sending = iota
	// SendsFinals is for windows that are sent once, as they close, in their
	// order: whatever order their records came in.
	SendsFinals
	// SendsAtCommits is for results of which there may be more or fewer, as
	// commits and faults come.
	SendsAtCommits
)

// An Edge leaves a node by one of its ports and enters another by one of its
// inputs. Ports and inputs have types of their own; the task checks that they
// meet.
type Edge struct {
	From  NodeID
	Port  int
	To    NodeID // set by Builder.Add
	Input int
	// Untimed says that the time does not come by this edge: what it brings is
	// looked at when something comes by another.
	Untimed bool
}

// Into is the edge as it enters a node by another input than the first.
func (e Edge) Into(input int) Edge {
	e.Input = input
	return e
}

// WithoutTime is the edge as one that holds no time back, however quiet what is
// before it may be.
func (e Edge) WithoutTime() Edge {
	e.Untimed = true
	return e
}

// One lists the receivers of a node with one input.
func One[K, V any](receive func(*Record[K, V]) error) []any {
	return []any{Receiver[K, V](receive)}
}

// Two lists the receivers of a node with two inputs.
func Two[K, V, K2, V2 any](first func(*Record[K, V]) error, second func(*Record[K2, V2]) error) []any {
	return []any{Receiver[K, V](first), Receiver[K2, V2](second)}
}

// Fan joins the children of one port into one receiver. Each child is checked
// to take the type that the parent sends.
func Fan[K, V any](node *Node, children []any) (Receiver[K, V], error) {
	typed := make([]Receiver[K, V], len(children))
	for i, c := range children {
		r, ok := c.(Receiver[K, V])
		if !ok {
			return nil, fmt.Errorf("graph: a child of operator %q takes %T, not %T", node.Name, c, r)
		}
		typed[i] = r
	}
	switch len(typed) {
	case 0:
		return func(*Record[K, V]) error { return nil }, nil
	case 1:
		return typed[0], nil
	}
	return func(r *Record[K, V]) error {
		for _, receive := range typed {
			if err := receive(r); err != nil {
				return err
			}
		}
		return nil
	}, nil
}
