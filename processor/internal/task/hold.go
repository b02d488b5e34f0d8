package task

import "github.com/millrace/millrace/windowing"

// A hold says why an input with waiting records is not read, or why the others
// wait for one without.
type hold struct {
	ceiling windowing.EventTime // its time is not to run ahead of this
	aligned bool                // ceiling is set
	end     int64               // of the log, when it was last asked
	asked   bool                // it was
	empty   int64               // wall clock, ms, since when its queue is empty; 0 if it is not known to be
}

// held says that the input has run too far ahead of the slowest.
func (in *input) held() bool { return in.hold.aligned && in.channel.Max() > in.hold.ceiling }

// Lowest is the lowest time among the inputs that have a MaxDrift and records
// waiting; windowing.MaxTime if there is none.
func (t *Task) Lowest() int64 {
	lowest := windowing.MaxTime
	for _, in := range t.inputs {
		if _, aligned := in.node.Watermarks.Drift(); aligned && in.queued > 0 {
			lowest = min(lowest, in.channel.Max())
		}
	}
	return int64(lowest)
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
func (t *Task) waitsFor(in *input, now int64) bool {
	if in.queued > 0 || in.bounded || in.edge != nil || t.cfg.MaxIdle < 0 {
		in.hold.empty = 0
		return false
	}
	if in.hold.empty == 0 {
		in.hold.empty = now
	}
	return !in.hold.asked || in.position < in.hold.end || now-in.hold.empty < t.cfg.MaxIdle
}
