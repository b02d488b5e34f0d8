package windowing

// grid is the arithmetic of windows of one size whose starts are the multiples of a step, moved by an offset: what
// tumbling and hopping windows are. All numbers are milliseconds.
//
// It also numbers the windows of a Kind, in a store: by their last instant, which is as if they were windows of one
// millisecond there. Then whatever is said here of starts holds for the numbers.
//
// What always holds:
//  1. Every time is in at least one window: those with starts first, first + step, ..., last.
//  2. A time from the offset on is in no window that starts below it.
//  3. Nothing overflows. A bound beyond the range of EventTime is taken as MaxTime; a time before the first start that
//     the range has room for counts as that start.
type grid struct {
	size, step int64 // positive
	offset     int64 // from 0 to below step
	grace      int64
}

// first is the start of the earliest window that ts is in.
func (g grid) first(ts EventTime) EventTime {
	ts = max(ts, g.lowest())
	first := g.above(plus(ts, -g.size))
	if zero := EventTime(g.offset); ts >= zero {
		return max(first, zero)
	}
	return first
}

// last is the start of the latest window that ts is in.
func (g grid) last(ts EventTime) EventTime {
	ts = max(ts, g.lowest())
	return ts - EventTime(g.beyond(ts))
}

// window is the window with this start.
func (g grid) window(start EventTime) Window { return Window{Start: start, End: plus(start, g.size)} }

// due is the watermark that closes the window with this start: its end plus grace, at most MaxTime.
func (g grid) due(start EventTime) EventTime { return plus(start, g.size+g.grace) }

// openFrom is the start of the earliest window that is not closed at a watermark; MaxTime if the watermark is.
func (g grid) openFrom(watermark EventTime) EventTime {
	if watermark == MaxTime {
		return MaxTime
	}
	return g.above(plus(watermark, -g.size-g.grace))
}

// above is the lowest start > t. t must be at least a step below MaxTime.
func (g grid) above(t EventTime) EventTime { return t + EventTime(g.step-g.beyond(t)) }

// lowest is the first start that is a time.
func (g grid) lowest() EventTime { return g.above(NoTime) }

// beyond is how far t lies beyond a start: 0 <= beyond < step, also for negative times.
func (g grid) beyond(t EventTime) int64 {
	return remainder(int64(t)%g.step-g.offset, g.step)
}

// remainder of a division that rounds down: 0 <= remainder < step.
func remainder(n, step int64) int64 {
	r := n % step
	if r < 0 {
		r += step
	}
	return r
}
