package graph

// A savepoint is what the nodes of a task need to go back to where they were before a record: the counters of those the
// record has come to, and what they remember beside their stores. A node joins when it is touched, so a record costs what
// it touches, however many nodes there are; without a savepoint it costs one look at on.
//
// Always, between Mark and Undo or Keep: a node is touched before anything of it changes.
type savepoint struct {
	on      bool
	round   uint64
	rounds  []uint64   // by NodeID: the round in which the node joined last
	undo    []Undoable // by NodeID
	touched []touched
}

// touched is a node as it was when it joined.
type touched struct {
	node     NodeID
	counters Counters
}

// Remember has u taken back with its node. It is called before the first Mark.
func (e *Env) Remember(node *Node, u Undoable) {
	e.savepoint.undo = longer(e.savepoint.undo, len(e.Counters))
	e.savepoint.undo[node.ID] = u
}

// Mark sets a savepoint, before a record. Undo or Keep follows.
func (e *Env) Mark() {
	s := &e.savepoint
	s.undo, s.rounds = longer(s.undo, len(e.Counters)), longer(s.rounds, len(e.Counters))
	s.on, s.round = true, s.round+1
}

func longer[T any](s []T, n int) []T {
	if len(s) < n {
		s = append(s, make([]T, n-len(s))...)
	}
	return s
}

// CountersOf returns the counters of a node, which is touched by that.
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
	if s.rounds[id] == s.round {
		return
	}
	s.rounds[id] = s.round
	s.touched = append(s.touched, touched{id, e.Counters[id]})
	if u := s.undo[id]; u != nil {
		u.Mark()
	}
}

// Undo goes back to the savepoint and forgets it.
func (e *Env) Undo() {
	s := &e.savepoint
	for i := range s.touched {
		was := &s.touched[i]
		e.Counters[was.node] = was.counters
		if u := s.undo[was.node]; u != nil {
			u.Undo()
		}
	}
	s.on, s.touched = false, s.touched[:0]
}

// Keep forgets the savepoint.
func (e *Env) Keep() {
	s := &e.savepoint
	for i := range s.touched {
		if u := s.undo[s.touched[i].node]; u != nil {
			u.Keep()
		}
	}
	s.on, s.touched = false, s.touched[:0]
}
