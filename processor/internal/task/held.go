package task

import (
	"errors"
	"fmt"

	"github.com/millrace/millrace/processor/internal/graph"
)

// A result that an operator has held back comes of no record: that of which it came
// was committed perhaps long ago, and the one that is being processed has made room
// for it, or let the time pass. So neither is to blame where it fails. It leaves
// between records, in a savepoint of its own, and the policy answers for it alone.

// leave lets the operators with a higher id that hold results back send what they
// have let go meanwhile.
func (t *Task) leave(above graph.NodeID) error {
	for _, i := range t.holders {
		n := &t.nodes[i]
		if n.recipe.ID <= above {
			continue
		}
		before := t.env.Firing
		t.env.Firing = n.recipe
		if err := n.inst.Leave(); err != nil {
			return err
		}
		t.env.Firing = before
	}
	return nil
}

// release implements graph.Env.Release. What the result has brought to other
// operators that hold results back is sent on there before the next one leaves.
func (t *Task) release(node *graph.Node, held graph.Out, send func() error) error {
	answers := t.env.Policy.OnError != graph.Fail
	if answers {
		t.setSavepoint()
	}
	err := t.try(send)
	if err == nil {
		err = t.check()
	}
	var failure *graph.RecordError
	switch {
	case err == nil:
		t.keep()
	case !errors.As(err, &failure):
		return err
	case !answers:
		return fmt.Errorf("operator %q sends what it has held back: operator %q, phase %s: %w; no record is to blame: correct operator %q, or set an error policy (SkipErrors or DeadLetter of stream.Builder), which then covers this result",
			node.Name, failure.Operator, failure.Phase, failure.Err, failure.Operator)
	default:
		if err := t.refuse(node, held, failure); err != nil {
			return err
		}
	}
	return t.leave(node.ID)
}

// try calls send, of which a panic is an error too.
func (t *Task) try(send func() error) (err error) {
	t.at, t.env.Releasing = nil, true
	defer func() {
		t.env.Releasing = false
		if p := recover(); p != nil {
			err = t.env.Panicked("", p)
		}
	}()
	return send()
}

// refuse drops a result that was held back, with all that it did, and counts it
// where it failed. The text of an error is user code, which may panic.
func (t *Task) refuse(node *graph.Node, held graph.Out, failure *graph.RecordError) error {
	if failure.Node == nil {
		failure.Node = t.at
	}
	if failure.Node == nil {
		failure.Node = node
	}
	at := failure.Node
	if err := t.undo(); err != nil {
		return fmt.Errorf("operator %q sends what it has held back: %w; and what that did cannot be taken back: %w", node.Name, failure, err)
	}
	if t.env.Policy.OnError == graph.DeadLetter && !t.toldBefore(at) {
		if errors.As(t.try(func() error { t.routeHeld(node, held, failure); return nil }), &failure) {
			t.routeHeld(node, held, failure)
		}
	}
	c := &t.counters[at.ID]
	c.In++
	c.Dropped[failure.Reason()]++
	return nil
}
