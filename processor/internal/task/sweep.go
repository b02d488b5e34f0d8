package task

import (
	"fmt"

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
		n := &t.nodes[i]
		at := t.arriving(n)
		if n.inst.Timed != nil {
			if err := n.inst.Timed.Advance(at); err != nil {
				return t.fired(n, err)
			}
		}
		if commit && n.inst.Commit != nil {
			if err := n.inst.Commit(); err != nil {
				return t.fired(n, err)
			}
		}
		n.passed = at
		if n.inst.Timed != nil {
			n.passed = n.inst.Timed.Passed()
		}
	}
	for _, in := range t.inputs {
		in.swept = in.channel.Watermark()
	}
	return nil
}

// arriving is the watermark at a node: the lowest over the channels that reach
// it.
func (t *Task) arriving(n *node) windowing.EventTime {
	if n.input != nil {
		return n.input.watermark()
	}
	at := windowing.EventTime(windowing.MaxTime)
	for _, p := range n.parents {
		at = min(at, t.nodes[p].passed)
	}
	return at
}

// fired names the operator behind a failure that no single record caused.
func (t *Task) fired(n *node, err error) error {
	return fmt.Errorf("task %s: operator %q, while emitting what was due: %w", t.cfg.ID, n.recipe.Name, err)
}

// Advance raises the watermark of every channel to at (ms since epoch), as if
// time had been seen to pass there without a record, and fires what has become
// due. It never goes back.
func (t *Task) Advance(at int64) error {
	for _, in := range t.inputs {
		if in.channel.Advance(windowing.EventTime(at)) {
			t.moved = true
		}
	}
	return t.sweep(false)
}
