package task

import (
	"errors"
	"slices"

	"github.com/millrace/millrace/processor/internal/graph"
	"github.com/millrace/millrace/processor/internal/planted"
	"github.com/millrace/millrace/state"
	"github.com/millrace/millrace/windowing"
)

// CarefulRecords is for how many records a task that has just replayed a failure
// goes on carefully. Where records fail now and then it is careful all the time,
// and each costs one record; after the last it is soon as fast as before.
const CarefulRecords = 1 << 20

// A savepoint is what it takes to take one record back, as if it had never come,
// although it has had effects: it has written, counted, or changed a value of the
// state in place before it failed.
//
// A task that is not careful sets none and pays nothing. A failure after effects
// then costs an abort, and the replay is careful. For a result that was held back
// one is always set: it comes of no record, so no replay could be told to be
// careful with it.
//
// Always: a savepoint is set before a record, or such a result, goes down the
// graph, and is gone when it has come through. There is one at a time: what a
// record leaves no room for leaves after it. What fires afterwards is not part of
// it.
//
// Rejected: a skip list, and a replay that commits record by record. It went at
// 320 records/s where 1 % panicked.
//
// Rejected: to take in all nodes and stores of the task. With 60 stores a count
// took 556 ns a record so, and takes 333 ns where only those are noted that the
// record comes to; 284 ns without a savepoint.
//
// Rejected: to send what a suppression has no room for while the record is
// processed, marked as of another. User code that failed over it was the
// record's failure, so it was held again, and each record that came was a dead
// letter for it.
type savepoint struct {
	left   int // records for which one is to be set
	set    bool
	exact  bool // what a record leaves in the state is looked at before the savepoint goes
	outbox graph.Mark
}

func newSavepoint(t *Task) savepoint {
	for i := range t.nodes {
		if u := t.nodes[i].inst.Undoable; u != nil {
			t.env.Remember(t.nodes[i].recipe, u)
		}
	}
	return savepoint{left: t.cfg.Careful, exact: t.cfg.Exact}
}

// Careful returns for how many records more the task sets savepoints.
func (t *Task) Careful() int { return t.savepoint.left }

// BeCareful has the task set savepoints from its next record on, as after a failure
// of its own.
func (t *Task) BeCareful() { t.savepoint.left = max(t.savepoint.left, CarefulRecords) }

// Exact reports whether careful records answer for what they leave in the state.
func (t *Task) Exact() bool { return t.savepoint.exact && t.savepoint.left > 0 }

// pushCarefully sends the current record down the graph in such a way that it
// can be taken back.
func (t *Task) pushCarefully(in *input, m *graph.Message, at, judged windowing.EventTime, c *graph.Counters) error {
	t.setSavepoint()
	if err := in.source.Push(m, at, judged); err != nil {
		return t.answer(err, c)
	}
	if err := t.check(); err != nil {
		return t.answer(err, c)
	}
	t.keep()
	t.savepoint.pass()
	c.Processed++
	return nil
}

// pass takes note of a careful record that has come through. After the last one a
// failure in another task asks for savepoints alone.
func (s *savepoint) pass() {
	s.left--
	s.exact = s.exact && s.left > 0
}

func (t *Task) setSavepoint() {
	s := &t.savepoint
	s.set = true
	s.outbox = t.outbox.Mark()
	t.env.Mark()
	if t.cfg.Stores != nil {
		t.cfg.Stores.Mark()
	}
}

// check finds a record to be at fault that has left in the state what cannot be
// committed.
func (t *Task) check() error {
	if !t.savepoint.exact || t.cfg.Stores == nil {
		return nil
	}
	err := t.cfg.Stores.Check()
	var bad *state.EntryError
	if !errors.As(err, &bad) {
		return err
	}
	failure := Unkept(bad)
	failure.Node = t.owner(bad.Store)
	return failure
}

// owner is the node that has a store, the first of those that share it.
func (t *Task) owner(store string) *graph.Node {
	at := slices.IndexFunc(t.nodes, func(n node) bool { return slices.Contains(n.recipe.Stores, store) })
	return t.nodes[at].recipe
}

// Unkept is the failure of a record that leaves in the state what cannot be
// committed.
func Unkept(bad *state.EntryError) *graph.RecordError {
	failure := &graph.RecordError{Operator: bad.Store, Phase: graph.PhaseProcess, Err: bad}
	if errors.Is(bad, state.ErrTooLarge) {
		failure.Phase = graph.PhaseProduce
	}
	return failure
}

// keep forgets the savepoint: the record has come through.
func (t *Task) keep() {
	t.savepoint.set = false
	if t.cfg.Stores != nil {
		t.cfg.Stores.Keep()
	}
	t.env.Keep()
}

// takeBack takes the current record back. It reports whether nothing of it is
// left: without a savepoint only if it had no effects. The error says why something
// is, which is the only word on the codec at fault.
func (t *Task) takeBack() (done bool, err error) {
	s := &t.savepoint
	if !s.set {
		return t.effects() == t.before, nil
	}
	t.BeCareful()
	err = t.undo()
	return err == nil, err
}

// undo goes back to the savepoint and forgets it.
func (t *Task) undo() error {
	t.savepoint.set = false
	if !(planted.On && t.cfg.Planted.OutputsKept) {
		t.outbox.Rewind(t.savepoint.outbox)
	}
	t.env.Undo()
	if t.cfg.Stores == nil {
		return nil
	}
	if planted.On && t.cfg.Planted.StateKept {
		t.cfg.Stores.Keep()
		return nil
	}
	return t.cfg.Stores.Undo()
}
