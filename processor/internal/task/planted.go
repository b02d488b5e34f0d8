package task

import (
	"math"

	"github.com/millrace/millrace/processor/internal/graph"
	"github.com/millrace/millrace/state"
	"github.com/millrace/millrace/windowing"
)

// Planted switches on known bugs in how a task deals with time and takes records
// back, one each. They prove that the simulator and the tests of tasks at random
// find such bugs; nothing else may set them. Where planted.On is false, as in what
// is shipped, they have no effect.
type Planted struct {
	IdleByTimer   bool // a partition of which nothing was read for a while is idle, though it is behind
	StampAfter    bool // what is sent for a record carries the watermark that the record has moved
	EdgeForgotten bool // what upstream tasks have said is not part of a commit
	FiredTwice    bool // how far windows are closed is not in the changelog: a restore brings back what has fired
	HeldBlocks    bool // an input that is held back for its MaxDrift is chosen all the same, so that its task waits
	WallSpans     bool // how long a partition has been at its end is measured by the wall clock
	MarkerTrusted bool // a marker is believed however far ahead it is
	InfiniteTime  bool // the end of a bounded run is passed on as a watermark
	StateKept     bool // a record that is taken back leaves what it did to the state
	OutputsKept   bool // a record that is taken back leaves what it sent
}

// stampAfter has the sinks of repartition topics send what fires now under the
// watermark that makes it fire.
func (t *Task) stampAfter(at windowing.EventTime) {
	for _, i := range t.clocked {
		if teller := t.nodes[i].inst.Teller; teller != nil {
			teller.Pass(graph.Time{Watermark: max(at, t.nodes[i].passed.Watermark)})
		}
	}
}

// forget leaves out of a commit what a planted bug forgets.
func (p *Planted) forget(in *state.Input) {
	if p.EdgeForgotten {
		in.Upstream = nil
	}
}

// reopen is FiredTwice: it takes the closings out of the positions that go to
// the changelogs.
func (p *Planted) reopen(entries []state.Entry) {
	if !p.FiredTwice {
		return
	}
	for i := range entries {
		if len(entries[i].Key) != 1 {
			continue
		}
		if position, err := state.DecodePosition(entries[i].Value); err == nil {
			position.Closing = state.Closing{Watermark: math.MinInt64, Below: math.MinInt64}
			entries[i].Value = position.Append(nil)
		}
	}
}
