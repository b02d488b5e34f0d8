package task

import (
	"errors"
	"fmt"

	"github.com/millrace/millrace/processor/internal/graph"
	"github.com/millrace/millrace/processor/internal/planted"
	"github.com/millrace/millrace/windowing"
)

// sweep carries the watermarks through the graph, operators in topological
// order: each fires what is due at the watermark that arrives, then passes its
// own on. With commit it also lets operators emit what they hold back until a
// commit.
//
// It runs after every record that moves its channel, and visits only nodes that
// act on time and their ancestors. Firing at once, and not when a commit
// happens to come, keeps the order of results a function of the log.
func (t *Task) sweep(commit bool) error {
	for _, i := range t.clocked {
		if err := t.visit(&t.nodes[i], commit); err != nil {
			return err
		}
	}
	for _, in := range t.inputs {
		in.swept = in.channel.Watermark()
	}
	return nil
}

// visit lets one node act on the time that has arrived at it.
func (t *Task) visit(n *node, commit bool) error {
	at := t.arriving(n)
	if err := t.fire(n, at, commit); err != nil {
		return t.fired(n, err)
	}
	if n.inst.Timed != nil && !at.Ended {
		at.Watermark = n.inst.Timed.Passed()
	}
	if n.inst.Commit != nil && !commit {
		at.Idle = at.Idle && n.passed.Idle // what the operator holds back is still to come
	}
	if at.Ended && planted.On && t.cfg.Planted.InfiniteTime {
		at.Watermark = windowing.MaxTime
	}
	at.Watermark = max(at.Watermark, n.passed.Watermark)
	n.passed = at
	if n.inst.Teller != nil {
		n.inst.Teller.Pass(at)
	}
	return nil
}

// fire lets a node emit what is due. While user code runs behind it, it is known
// who is firing.
func (t *Task) fire(n *node, at graph.Time, commit bool) error {
	if n.inst.Timed != nil {
		t.env.Firing = n.recipe
		if at.Ended {
			at.Watermark = windowing.MaxTime
		}
		if err := n.inst.Timed.Advance(at.Watermark); err != nil {
			return err
		}
	}
	if commit && n.inst.Commit != nil {
		t.env.Firing = n.recipe
		if err := n.inst.Commit(); err != nil {
			return err
		}
	}
	t.env.Firing = nil
	return nil
}

// arriving is the time at a node: that of its input, or what its parents have
// passed, merged.
func (t *Task) arriving(n *node) graph.Time {
	if n.input != nil {
		return n.input.time()
	}
	if len(n.parents) == 1 {
		return t.nodes[n.parents[0]].passed
	}
	m := newMerger()
	for _, p := range n.parents {
		m.add(t.nodes[p].passed)
	}
	return m.time()
}

// fired names the operator behind a failure that no single record caused, so
// that none can be skipped for it.
func (t *Task) fired(n *node, err error) error { return t.firedBy(n.recipe.Name, err) }

func (t *Task) firedBy(operator string, err error) error {
	next := ""
	var failure *graph.RecordError
	if errors.As(err, &failure) {
		next = fmt.Sprintf("; no record is to blame, so the error policy does not cover it: correct operator %q, or filter out before it what it refuses", failure.Operator)
	}
	return fmt.Errorf("task %s: operator %q, while emitting what was due: %w%s", t.cfg.ID, operator, err, next)
}

// Advance raises the watermark of every channel to at (ms since epoch), as if
// time had been seen to pass there without a record, and fires what has become
// due. It never goes back. A channel of a repartition topic is moved by what
// its upstream tasks say, not by this.
func (t *Task) Advance(at int64) (err error) {
	defer t.caught(&err)
	for _, in := range t.inputs {
		if in.edge == nil && in.channel.Advance(windowing.EventTime(at)) {
			t.moved = true
		}
	}
	return t.sweep(false)
}
