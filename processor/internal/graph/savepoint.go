package graph

import "slices"

// A savepoint is what the nodes of a task need to go back to where they were before a record: the counters of those the
// record has come to, and what they remember beside their stores. A node joins when it is touched, so a record costs what
// it touches, however many nodes there are; without a savepoint it costs one look at on.
//
// Always, between Mark and Undo or Keep: a node is touched before anything of it changes.
type savepoint struct {
	on      bool
	round   uint64
	nodes   []joined // by NodeID
	touched []NodeID // in this round
	late    []lateBefore
}

// joined is what the savepoint has of a node. How late its records were is not part of it: that takes more room than
// all else, and few records are late.
type joined struct {
	round         uint64 // in which it joined last
	in, processed int64  // as they were then
	dropped       [reasonCount]int64
	undo          Undoable
}

// lateBefore is the lateness at a node before a record was late there.
type lateBefore struct {
	node NodeID
	was  Lateness
}

// Remember has u taken back with its node. It is called before the first Mark.
func (e *Env) Remember(node *Node, u Undoable) {
	e.room()
	e.savepoint.nodes[node.ID].undo = u
}

// room makes room for all nodes.
func (e *Env) room() {
	if s := &e.savepoint; len(s.nodes) < len(e.Counters) {
		s.nodes = append(s.nodes, make([]joined, len(e.Counters)-len(s.nodes))...)
	}
}

// Mark sets a savepoint, before a record. Undo or Keep follows.
func (e *Env) Mark() {
	e.room()
	e.savepoint.on = true
	e.savepoint.round++
}

// CountersOf returns the counters of a node, which is touched by that. Lateness is for DropLate alone.
func (e *Env) CountersOf(node *Node) *Counters {
	e.Touch(node)
	return &e.Counters[node.ID]
}

// Touch says that something of a node is about to change.
func (e *Env) Touch(node *Node) {
	if e.savepoint.on {
		e.join(node.ID)
	}
}

func (e *Env) join(id NodeID) {
	s := &e.savepoint
	n := &s.nodes[id]
	if n.round == s.round {
		return
	}
	c := &e.Counters[id]
	n.round, n.in, n.processed, n.dropped = s.round, c.In, c.Processed, c.Dropped
	s.touched = append(s.touched, id)
	if n.undo != nil {
		n.undo.Mark()
	}
}

// lateness is that at a node, about to change.
func (e *Env) lateness(node *Node) *Lateness {
	l := &e.Counters[node.ID].Lateness
	if s := &e.savepoint; s.on {
		s.late = append(s.late, lateBefore{node.ID, *l})
	}
	return l
}

// Undo goes back to the savepoint and forgets it.
func (e *Env) Undo() {
	s := &e.savepoint
	for _, l := range slices.Backward(s.late) {
		e.Counters[l.node].Lateness = l.was
	}
	for _, id := range s.touched {
		n, c := &s.nodes[id], &e.Counters[id]
		c.In, c.Processed, c.Dropped = n.in, n.processed, n.dropped
		if n.undo != nil {
			n.undo.Undo()
		}
	}
	s.on, s.touched, s.late = false, s.touched[:0], s.late[:0]
}

// Keep forgets the savepoint.
func (e *Env) Keep() {
	s := &e.savepoint
	for _, id := range s.touched {
		if u := s.nodes[id].undo; u != nil {
			u.Keep()
		}
	}
	s.on, s.touched, s.late = false, s.touched[:0], s.late[:0]
}
