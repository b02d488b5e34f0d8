package graph

import (
	"fmt"
	"strings"
)

// Describe returns the topology as text in the manner of Kafka Streams'
// TopologyDescription: stable for the same program, so that a test can compare
// it.
func (t *Topology) Describe() string {
	var b strings.Builder
	fmt.Fprintf(&b, "Topology: %s\n", t.Name)
	for _, s := range t.subs {
		fmt.Fprintf(&b, "  Sub-topology: %d\n", s.ID)
		for _, n := range s.Nodes {
			b.WriteString(t.describe(n))
		}
	}
	if t.Policy.Topic != "" {
		fmt.Fprintf(&b, "  Dead letters: %s\n", t.Policy.Topic)
	}
	return b.String()
}

func (t *Topology) describe(n *Node) string {
	var b strings.Builder
	kind := [...]string{"Source", "Operator", "Sink"}[n.Kind]
	fmt.Fprintf(&b, "    %s: %s", kind, n.Name)
	if n.Topic != "" {
		fmt.Fprintf(&b, " (topic: %s)", n.Topic)
	}
	if n.Completeness != "" {
		fmt.Fprintf(&b, " (completeness: %s)", n.Completeness)
	}
	for _, name := range n.Stores {
		spec, _ := t.Store(name)
		fmt.Fprintf(&b, " (store: %s, %s)", name, spec.Kind)
	}
	for _, port := range n.Ports {
		for _, e := range port {
			fmt.Fprintf(&b, "\n      --> %s", t.nodes[e.To].Name)
			if t.nodes[e.To].inputs() > 1 {
				fmt.Fprintf(&b, " (input %d)", e.Input)
			}
		}
	}
	b.WriteByte('\n')
	return b.String()
}
