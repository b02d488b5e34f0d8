package graph

import (
	"fmt"
	"slices"

	"github.com/millrace/millrace/state"
)

// Around returns what of the sub-topology concerns some of its stores and of the
// repartition topics it feeds: the operators that own them, what comes before
// these, what comes behind, and all sources, so that inputs are counted as ever.
// It is what brings those up that were away while the rest went on.
//
// It fails where an operator before or behind owns another store, for what that
// holds is of another time, unless the store is fresh and holds nothing: it is
// then part of it. before are the nodes that come before: they were
// there all the time.
func (s *Subtopology) Around(stores, feeds, fresh []string) (part *Subtopology, before []NodeID, err error) {
	a := around{sub: s, above: map[NodeID]bool{}, below: map[NodeID]bool{}}
	for _, n := range s.Nodes {
		feed := n.Kind == SinkNode && n.Internal && slices.Contains(feeds, n.Topic)
		if feed || owns(n, stores) {
			a.up(n)
			a.down(n)
		}
	}
	for _, n := range s.Nodes {
		if a.keeps(n.ID) && len(n.Stores) > 0 && !owns(n, stores) && !owns(n, fresh) {
			return nil, nil, fmt.Errorf("operator %q, with the store %q, is before or behind what is to be brought up, and has gone on without it", n.Name, n.Stores[0].Name)
		}
	}
	cut := *s
	cut.Nodes = nil
	for _, n := range s.Nodes {
		if a.keeps(n.ID) || n.Kind == SourceNode {
			cut.Nodes = append(cut.Nodes, a.cut(n))
			if !a.below[n.ID] {
				before = append(before, n.ID)
			}
		}
	}
	return &cut, before, nil
}

func owns(n *Node, stores []string) bool {
	return slices.ContainsFunc(n.Stores, func(s state.Spec) bool { return slices.Contains(stores, s.Name) })
}

// Owns reports whether an operator of the sub-topology has the store.
func (s *Subtopology) Owns(store string) bool {
	return slices.ContainsFunc(s.Nodes, func(n *Node) bool { return owns(n, []string{store}) })
}

// An around marks nodes upwards and downwards.
type around struct {
	sub          *Subtopology
	above, below map[NodeID]bool // the owners are in both
}

func (a *around) keeps(id NodeID) bool { return a.above[id] || a.below[id] }

func (a *around) node(id NodeID) *Node {
	at := slices.IndexFunc(a.sub.Nodes, func(n *Node) bool { return n.ID == id })
	return a.sub.Nodes[at]
}

func (a *around) up(n *Node) {
	if a.above[n.ID] {
		return
	}
	a.above[n.ID] = true
	for _, e := range n.Parents {
		a.up(a.node(e.From))
	}
}

func (a *around) down(n *Node) {
	if a.below[n.ID] {
		return
	}
	a.below[n.ID] = true
	for _, port := range n.Ports {
		for _, e := range port {
			a.down(a.node(e.To))
		}
	}
}

// cut is a copy of a node without the edges to and from what is not kept.
func (a *around) cut(n *Node) *Node {
	c := *n
	c.Parents = slices.DeleteFunc(slices.Clone(n.Parents), func(e Edge) bool { return !a.keeps(e.From) })
	c.Ports = make([][]Edge, len(n.Ports))
	for i, port := range n.Ports {
		c.Ports[i] = slices.DeleteFunc(slices.Clone(port), func(e Edge) bool { return !a.keeps(e.To) })
	}
	return &c
}
