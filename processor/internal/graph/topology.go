package graph

import (
	"errors"
	"fmt"
	"slices"

	"github.com/millrace/millrace/state"
)

// A Topology is the whole graph of an application. It is immutable and may be
// used by any number of goroutines.
type Topology struct {
	Name   string
	Policy ErrorPolicy
	nodes  []*Node
	subs   []*Subtopology
	stores []store // as they were given; of one name the first counts

	partitions map[string]int32 // of repartition topics, where a number was asked for
}

// A Subtopology is a connected part of the graph: what one task runs for one
// partition. All its sources are co-partitioned.
type Subtopology struct {
	ID      int
	Nodes   []*Node // in topological order
	Sources []string
	Sinks   []string
	Stores  []state.Spec // sorted by name
	// Feeds are the repartition topics among Sinks, Fed those among Sources.
	Feeds, Fed []string
	// Policy is the application's.
	Policy *ErrorPolicy
	size   int // nodes of the whole topology
}

// NodeCount returns the number of nodes of the whole topology: every NodeID is
// below it.
func (s *Subtopology) NodeCount() int { return s.size }

// Builder collects nodes. Errors are collected too and told all at once by
// Build.
type Builder struct {
	name   string
	policy ErrorPolicy
	nodes  []*Node
	stores []store
	errs   []error

	partitions map[string]int32
}

// NewBuilder starts a topology.
func NewBuilder(name string) *Builder { return &Builder{name: name} }

// Fail remembers a mistake for Build to report.
func (b *Builder) Fail(format string, args ...any) {
	b.errs = append(b.errs, fmt.Errorf(format, args...))
}

// SetPolicy sets what becomes of records that fail.
func (b *Builder) SetPolicy(p ErrorPolicy) { b.policy = p }

// Add adds a node that the given edges enter and returns its id.
func (b *Builder) Add(n Node, parents ...Edge) NodeID {
	n.ID = NodeID(len(b.nodes))
	n.Parents = nil
	for _, e := range parents {
		e.To = n.ID
		n.Parents = append(n.Parents, e)
		p := b.nodes[e.From]
		for len(p.Ports) <= e.Port {
			p.Ports = append(p.Ports, nil)
		}
		p.Ports[e.Port] = append(p.Ports[e.Port], e)
	}
	b.nodes = append(b.nodes, &n)
	return n.ID
}

// Node returns the node with this id, to complete it before Build.
func (b *Builder) Node(id NodeID) *Node { return b.nodes[id] }

// Build checks the graph and cuts it into sub-topologies. It reports every
// mistake at once.
func (b *Builder) Build() (*Topology, error) {
	t := &Topology{Name: b.name, Policy: b.policy, nodes: b.nodes, stores: b.stores, partitions: b.partitions}
	errs := append(slices.Clone(b.errs), t.checkInputs(), t.checkStores(), t.checkTopics(), t.checkCompleteness(), t.checkPolicy())
	if err := errors.Join(errs...); err != nil {
		return nil, fmt.Errorf("topology %q: %w", b.name, err)
	}
	t.cut()
	return t, nil
}

// checkInputs wants an edge into every input of a node, up to its last, and the
// time to come by one of them.
func (t *Topology) checkInputs() error {
	var errs []error
	for _, n := range t.nodes {
		entered, timed := map[int]bool{}, len(n.Parents) == 0
		for _, e := range n.Parents {
			entered[e.Input], timed = true, timed || !e.Untimed
		}
		if !timed {
			errs = append(errs, fmt.Errorf("operator %q: no edge brings the time", n.Name))
		}
		for input := range n.inputs() {
			if !entered[input] {
				errs = append(errs, fmt.Errorf("operator %q: nothing enters it by input %d", n.Name, input))
			}
		}
	}
	return errors.Join(errs...)
}

// inputs is one more than the last input by which an edge enters the node.
func (n *Node) inputs() (count int) {
	for _, e := range n.Parents {
		count = max(count, e.Input+1)
	}
	return count
}

func (t *Topology) checkTopics() error {
	type topic struct {
		name     string
		internal bool // the name is a part of the topic's, and in nobody's way
	}
	seen, repartitions := map[topic]bool{}, map[string]bool{}
	var errs []error
	for _, n := range t.nodes {
		if n.Kind == OperatorNode {
			continue
		}
		if n.Internal && n.Kind == SinkNode {
			if err := state.LegalName(n.Topic); err != nil {
				errs = append(errs, fmt.Errorf("repartition: %w", err))
			}
			if repartitions[n.Topic] {
				errs = append(errs, fmt.Errorf("the name %q is used by two repartitions; names of internal topics are unique in an application", n.Topic))
			}
			repartitions[n.Topic] = true
		}
		if n.Topic == "" {
			errs = append(errs, fmt.Errorf("%s has no topic name", n.Name))
		}
		at := topic{n.Topic, n.Internal}
		if n.Kind == SourceNode && seen[at] {
			errs = append(errs, fmt.Errorf("topic %q is read by two sources; read it once and use the stream twice", n.Topic))
		}
		seen[at] = seen[at] || n.Kind == SourceNode
	}
	if len(seen) == 0 {
		errs = append(errs, errors.New("there is no source: start with stream.From"))
	}
	return errors.Join(errs...)
}

// checkCompleteness wants a topic with a completeness to be written by that one
// sink: what it says would not hold for the records of another. Repartition
// topics have longer names than their nodes say here.
func (t *Topology) checkCompleteness() error {
	var errs []error
	for _, n := range t.nodes {
		for _, other := range t.nodes {
			if n.Completeness == "" || other.Kind == OperatorNode || other.Internal || other.ID == n.ID {
				continue
			}
			if other.Kind == SinkNode && other.Topic == n.Topic {
				errs = append(errs, fmt.Errorf("sink %q tells the completeness of topic %q, but sink %q writes there too; merge the streams and write them once", n.Name, n.Topic, other.Name))
			}
			if other.Topic == n.Completeness {
				errs = append(errs, fmt.Errorf("topic %q is for the completeness of %q and cannot be used by %q", n.Completeness, n.Topic, other.Name))
			}
		}
	}
	return errors.Join(errs...)
}

// checkPolicy wants the dead-letter topic to have a name, and nobody to read it:
// a record that cannot be read would be written there again each time.
func (t *Topology) checkPolicy() error {
	if t.Policy.OnError != DeadLetter && len(t.Policy.Route) == 0 {
		return nil
	}
	if t.Policy.Topic == "" {
		return errors.New("the dead-letter topic has no name: give it one, or skip the records that fail (SkipErrors)")
	}
	for _, n := range t.nodes {
		if n.Kind == SourceNode && !n.Internal && n.Topic == t.Policy.Topic {
			return fmt.Errorf("the dead-letter topic %q is read by %q, so a record that fails there would come back without end; give dead letters a topic of their own", n.Topic, n.Name)
		}
	}
	return nil
}

// cut gives every connected set of nodes a number, in the order of their first
// nodes. Edges connect nodes, and so do stores.
func (t *Topology) cut() {
	root := make([]int, len(t.nodes))
	for i := range root {
		root[i] = i
	}
	find := func(i int) int {
		for root[i] != i {
			i = root[i]
		}
		return i
	}
	unite := func(m, n NodeID) {
		a, b := find(int(m)), find(int(n))
		root[max(a, b)] = min(a, b)
	}
	users := map[string]NodeID{}
	for _, n := range t.nodes {
		for _, e := range n.Parents {
			unite(n.ID, e.From)
		}
		for _, name := range n.Stores {
			if other, ok := users[name]; ok {
				unite(n.ID, other)
			}
			users[name] = n.ID
		}
	}
	byRoot := map[int]*Subtopology{}
	for i, n := range t.nodes {
		sub := byRoot[find(i)]
		if sub == nil {
			sub = &Subtopology{ID: len(t.subs), Policy: &t.Policy, size: len(t.nodes)}
			byRoot[find(i)] = sub
			t.subs = append(t.subs, sub)
		}
		sub.add(n)
	}
	t.allot()
}

// Format is what the records of a repartition topic that is read are written in;
// nil of other topics.
func (s *Subtopology) Format(topic string) *Format {
	for _, n := range s.Nodes {
		if n.Kind == SourceNode && n.Topic == topic {
			return n.Format
		}
	}
	return nil
}

func (s *Subtopology) add(n *Node) {
	s.Nodes = append(s.Nodes, n)
	switch n.Kind {
	case SourceNode:
		s.Sources = append(s.Sources, n.Topic)
		if n.Internal {
			s.Fed = append(s.Fed, n.Topic)
		}
	case SinkNode:
		if n.Internal {
			s.Feeds = append(s.Feeds, n.Topic)
		}
		for _, topic := range []string{n.Topic, n.Completeness} {
			if topic != "" && !slices.Contains(s.Sinks, topic) {
				s.Sinks = append(s.Sinks, topic)
			}
		}
	}
}

// Subtopologies returns the parts of the graph, by their ID.
func (t *Topology) Subtopologies() []*Subtopology { return t.subs }

// SourceTopics returns the topics that are read, in topology order.
func (t *Topology) SourceTopics() []string {
	var all []string
	for _, s := range t.subs {
		all = append(all, s.Sources...)
	}
	return all
}

// SinkTopics returns the topics that are written, each once, with the
// dead-letter topic last.
func (t *Topology) SinkTopics() []string {
	var all []string
	for _, s := range t.subs {
		for _, topic := range s.Sinks {
			if !slices.Contains(all, topic) {
				all = append(all, topic)
			}
		}
	}
	if d := t.Policy.Topic; d != "" && !slices.Contains(all, d) {
		all = append(all, d)
	}
	return all
}

// Keys returns the serdes of the keys of a topic, one for each source or sink.
func (t *Topology) Keys(topic string) []any {
	var all []any
	for _, n := range t.nodes {
		if n.Kind != OperatorNode && n.Topic == topic {
			all = append(all, n.Keys)
		}
	}
	return all
}

// Len returns the number of nodes added so far.
func (b *Builder) Len() int { return len(b.nodes) }
