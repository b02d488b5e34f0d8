// Package grid is the arithmetic of windows whose starts are evenly spaced, below
// the vocabulary of windowing, which it therefore does not know: T is
// windowing.EventTime.
package grid

import "math"

const (
	noTime  = math.MinInt64
	maxTime = math.MaxInt64
)

// A Grid has windows of one size, whose starts are the multiples of a step, moved
// by an offset: what tumbling and hopping windows are. All numbers are
// milliseconds.
//
// A store numbers its windows. The number of a window of another kind is its last
// instant, so the grid of such a store is that of windows of one millisecond:
//
//	windows             number in the store    grid
//	tumbling, hopping   start                  size, step
//	other kinds         end - 1                size 1, step 1
//
// Then whatever is said here of starts holds for the numbers.
//
// What always holds:
//  1. Every time is in at least one window: those with starts first, first + step, ..., last.
//  2. A time from the offset on is in no window that starts below it.
//  3. Nothing overflows. A bound beyond the range of T is taken as MaxTime; a time before the first start that
//     the range has room for counts as that start.
type Grid[T ~int64] struct {
	Size, Step int64 // positive
	Offset     int64 // from 0 to below Step
	Grace      int64
}

// First is the start of the earliest window that ts is in.
func (g Grid[T]) First(ts T) T {
	ts = max(ts, g.Lowest())
	first := g.Above(Plus(ts, -g.Size))
	if zero := T(g.Offset); ts >= zero {
		return max(first, zero)
	}
	return first
}

// Last is the start of the latest window that ts is in.
func (g Grid[T]) Last(ts T) T {
	ts = max(ts, g.Lowest())
	return ts - T(g.Beyond(ts))
}

// End is the end of the window with this start.
func (g Grid[T]) End(start T) T { return Plus(start, g.Size) }

// Due is the watermark that closes the window with this start: its end plus grace, at most MaxTime.
func (g Grid[T]) Due(start T) T { return Plus(start, g.Size+g.Grace) }

// OpenFrom is the start of the earliest window that is not closed at a watermark; MaxTime if the watermark is.
func (g Grid[T]) OpenFrom(watermark T) T {
	if watermark == maxTime {
		return maxTime
	}
	return g.Above(Plus(watermark, -g.Size-g.Grace))
}

// Above is the lowest start > t. t must be at least a step below MaxTime.
func (g Grid[T]) Above(t T) T { return t + T(g.Step-g.Beyond(t)) }

// Lowest is the first start that is a time.
func (g Grid[T]) Lowest() T { return g.Above(noTime) }

// Beyond is how far t lies beyond a start: 0 <= beyond < step, also for negative times.
func (g Grid[T]) Beyond(t T) int64 {
	return Remainder(int64(t)%g.Step-g.Offset, g.Step)
}

// Remainder of a division that rounds down: 0 <= remainder < step.
func Remainder(n, step int64) int64 {
	r := n % step
	if r < 0 {
		r += step
	}
	return r
}

// Plus adds ms of either sign and stops at the ends of the range.
func Plus[T ~int64](t T, ms int64) T {
	sum := int64(t) + ms
	switch {
	case ms > 0 && sum < int64(t):
		return maxTime
	case ms < 0 && sum > int64(t):
		return noTime
	}
	return T(sum)
}
