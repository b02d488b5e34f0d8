package graph

import (
	"fmt"
	"slices"
)

// Around returns what of the sub-topology concerns some of its stores and of the
// repartition topics it feeds: the operators that use them, what comes before
// these, what comes behind, and all sources, so that inputs are counted as ever.
// It is what brings those up that were away while the rest went on.
//
// It fails where one of these operators uses another store, for what that
// holds is of another time, unless the store is fresh and holds nothing: it is
// then part of it, with whoever else uses it. before are the nodes that come
// before: they were there all the time.
func (s *Subtopology) Around(stores, feeds, fresh []string) (part *Subtopology, before []NodeID, err error) {
	a := around{sub: s, fresh: fresh, above: map[NodeID]bool{}, below: map[NodeID]bool{}}
	for _, n := range s.Nodes {
		feed := n.Kind == SinkNode && n.Internal && slices.Contains(feeds, n.Topic)
		if feed || uses(n, stores) {
			a.up(n)
			a.down(n)
		}
	}
	for _, n := range s.Nodes {
		for _, store := range n.Stores {
			if a.keeps(n.ID) && !slices.Contains(stores, store) && !slices.Contains(fresh, store) {
				return nil, nil, fmt.Errorf("operator %q, with the store %q, is before or behind what is to be brought up, and has gone on without it", n.Name, store)
			}
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

func uses(n *Node, stores []string) bool {
	return slices.ContainsFunc(n.Stores, func(s string) bool { return slices.Contains(stores, s) })
}

// Owns reports whether an operator of the sub-topology uses the store.
func (s *Subtopology) Owns(store string) bool {
	return slices.ContainsFunc(s.Nodes, func(n *Node) bool { return slices.Contains(n.Stores, store) })
}

// An around marks nodes upwards and downwards.
type around struct {
	sub          *Subtopology
	fresh        []string
	above, below map[NodeID]bool // the users are in both
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
	a.share(n)
	for _, e := range n.Parents {
		a.up(a.node(e.From))
	}
}

func (a *around) down(n *Node) {
	if a.below[n.ID] {
		return
	}
	a.below[n.ID] = true
	a.share(n)
	for _, port := range n.Ports {
		for _, e := range port {
			a.down(a.node(e.To))
		}
	}
}

// share takes in whoever uses a fresh store with n: half of what is written to it
// is no store.
func (a *around) share(n *Node) {
	for _, store := range n.Stores {
		if !slices.Contains(a.fresh, store) {
			continue
		}
		for _, other := range a.sub.Nodes {
			if slices.Contains(other.Stores, store) {
				a.up(other)
			}
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
