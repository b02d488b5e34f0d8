package task

import (
	"slices"

	"github.com/millrace/millrace/processor/internal/planted"
	"github.com/millrace/millrace/windowing"
)

// A hold says why an input with waiting records is not read, or why the others
// wait for one without.
//
// Rejected: to take the time of the last record for that of an input, and to
// let a task wait with the input it chose. One that went on far ahead of its
// own last record was then the slowest, and waited for the one it held.
type hold struct {
	ceiling windowing.EventTime // its time is not to run ahead of this
	aligned bool                // ceiling is set
	end     int64               // of the log, when it was last asked
	asked   bool                // it was
	empty   bool                // its queue is known to be
	since   int64               // when it became so; see Task.Elapse
}

// held says that the input has run too far ahead of the slowest. The record that
// shows it is the last one taken.
func (in *input) held() bool { return in.hold.aligned && in.channel.Max() > in.hold.ceiling }

// Lowest is the lowest time among the inputs that have a MaxDrift and records
// waiting, the next of them counted; windowing.MaxTime if there is none, or the
// task cannot go on because it waits for another input.
//
// So the input that is the lowest of a worker is never held: its own time is not
// beyond that of its next record. It is also the one that its task chooses, or
// else one without a MaxDrift is. Something always goes on.
func (t *Task) Lowest(now int64) int64 {
	lowest := windowing.MaxTime
	for _, in := range t.inputs {
		if _, aligned := in.node.Watermarks.Drift(); aligned && in.queued > 0 && !in.bounded {
			lowest = min(lowest, t.next(in, now))
		}
	}
	if lowest < windowing.MaxTime && t.waits() {
		return int64(windowing.MaxTime)
	}
	return int64(lowest)
}

// next is the time that Lowest counts for an input with records.
func (t *Task) next(in *input, now int64) windowing.EventTime {
	if planted.On && t.cfg.Planted.HeldBlocks {
		return in.channel.Max()
	}
	return in.headTime(windowing.EventTime(now))
}

// alignPatience is how long a task that waits for an empty input holds others
// back all the same, in ms of Elapse: most often that input is being fetched.
const alignPatience = 1000

// waits says that the task takes no record before one comes on an empty input,
// and has not for a while.
func (t *Task) waits() bool {
	return len(t.inputs) > 1 && slices.ContainsFunc(t.inputs, func(in *input) bool {
		return t.waitsFor(in) && t.elapsed-in.hold.since >= alignPatience
	})
}

// Align holds back the inputs with a MaxDrift that are too far ahead of lowest,
// the lowest time of all such inputs of the worker.
func (t *Task) Align(lowest int64) {
	for _, in := range t.inputs {
		if drift, aligned := in.node.Watermarks.Drift(); aligned && !in.bounded {
			in.hold.ceiling, in.hold.aligned = windowing.EventTime(lowest).Add(drift), lowest != int64(windowing.NoTime)
		}
	}
}

// waitsFor says that a live task waits for an input without records before it
// takes one of another.
func (t *Task) waitsFor(in *input) bool {
	if in.queued > 0 || in.bounded || in.edge != nil || t.cfg.MaxIdle < 0 {
		in.hold.empty = false
		return false
	}
	if !in.hold.empty {
		in.hold.empty, in.hold.since = true, t.elapsed
	}
	return !in.hold.asked || in.position < in.hold.end || t.elapsed-in.hold.since < t.cfg.MaxIdle
}
