package windowing

import (
	"errors"
	"fmt"
	"time"
)

// Window is a stretch of event time, [Start, End): Start belongs to it, End does not.
type Window struct{ Start, End EventTime }

// Windows says how event time is cut into aligned windows of one size: their starts are the multiples of the advance.
// It is a value, safe for concurrent use, made by Tumbling or Hopping; the methods that ask about time need one that
// Validate accepts.
//
// What always holds:
//  1. Every time is in at least one window: those with starts First, First + advance, ..., Last.
//  2. A time from 0 on is in no window that starts below 0.
//  3. Closed is the only test of whether a window is over. It judges records and fires results, so no record is
//     accepted by a window that has fired. It is monotone in both arguments.
//  4. Nothing overflows. A bound beyond the range of EventTime is taken as MaxTime; a time before the first start that
//     the range has room for counts as that start.
type Windows struct {
	size, advance, grace time.Duration
	emit                 Emit
}

// Tumbling cuts time into windows of one size that do not overlap. size is positive and whole milliseconds. Grace is
// 0 and emission OnCommit unless changed.
func Tumbling(size time.Duration) Windows { return Windows{size: size, advance: size} }

// Hopping cuts time into windows of one size that start every advance, so that they overlap. size and advance are
// positive and whole milliseconds, advance is at most size. Each record costs one update for each window it is in:
// size / advance. Grace is 0 and emission OnCommit unless changed.
func Hopping(size, advance time.Duration) Windows { return Windows{size: size, advance: advance} }

// Grace keeps each window open until the watermark is d past its end. d is whole milliseconds and not negative.
func (w Windows) Grace(d time.Duration) Windows {
	w.grace = d
	return w
}

// Emit sets when results are sent on.
func (w Windows) Emit(e Emit) Windows {
	w.emit = e
	return w
}

// Size is the length of each window.
func (w Windows) Size() time.Duration { return w.size }

// Advance is the distance between the starts of two windows; the size if they do not overlap.
func (w Windows) Advance() time.Duration { return w.advance }

// GraceMillis is the grace in milliseconds.
func (w Windows) GraceMillis() int64 { return w.grace.Milliseconds() }

// Emission is when results are sent on.
func (w Windows) Emission() Emit { return w.emit }

// Validate returns all that is wrong with the windows, joined; nil if nothing is.
func (w Windows) Validate() error {
	var wrong []error
	complain := func(format string, args ...any) { wrong = append(wrong, fmt.Errorf(format, args...)) }
	if w.size <= 0 || !wholeMillis(w.size) {
		complain("windowing: the size of windows must be positive whole milliseconds, got %v", w.size)
	}
	if w.advance <= 0 || !wholeMillis(w.advance) {
		complain("windowing: the advance of windows must be positive whole milliseconds, got %v", w.advance)
	}
	if w.advance > w.size {
		complain("windowing: the advance of windows must not exceed their size, or records between them would be lost: got advance %v, size %v", w.advance, w.size)
	}
	if w.grace < 0 || !wholeMillis(w.grace) {
		complain("windowing: the grace of windows must be whole milliseconds from 0 on, got %v", w.grace)
	}
	if w.emit > OnUpdate {
		complain("windowing: unknown emission %d; use OnCommit, OnClose or OnUpdate", uint8(w.emit))
	}
	return errors.Join(wrong...)
}

func wholeMillis(d time.Duration) bool { return d%time.Millisecond == 0 }

// step is the advance in ms, and 1 where Validate would refuse it.
func (w Windows) step() int64 { return max(1, w.advance.Milliseconds()) }

// First is the start of the earliest window that ts is in.
func (w Windows) First(ts EventTime) EventTime {
	ts = max(ts, lowest(w.step()))
	first := above(plus(ts, -w.size.Milliseconds()), w.step())
	if ts >= 0 {
		return max(first, 0)
	}
	return first
}

// Last is the start of the latest window that ts is in.
func (w Windows) Last(ts EventTime) EventTime {
	step := w.step()
	ts = max(ts, lowest(step))
	return ts - EventTime(remainder(ts, step))
}

// Window is the window with this start.
func (w Windows) Window(start EventTime) Window {
	return Window{Start: start, End: plus(start, w.size.Milliseconds())}
}

// Due is the watermark at which the window with this start closes: its end plus grace, at most MaxTime.
func (w Windows) Due(start EventTime) EventTime {
	return plus(start, w.size.Milliseconds()+w.grace.Milliseconds())
}

// Closed reports whether the window with this start is over at a watermark: watermark >= end + grace. At NoTime no
// window is, at MaxTime every one.
func (w Windows) Closed(start, watermark EventTime) bool { return watermark >= w.Due(start) }

// OpenFrom is the start of the earliest window that is not closed at a watermark; MaxTime if the watermark is.
func (w Windows) OpenFrom(watermark EventTime) EventTime {
	if watermark == MaxTime {
		return MaxTime
	}
	return above(plus(watermark, -w.size.Milliseconds()-w.grace.Milliseconds()), w.step())
}

// above is the lowest multiple of step > t. t must be at least step below MaxTime.
func above(t EventTime, step int64) EventTime { return t + EventTime(step-remainder(t, step)) }

// lowest is the first multiple of step that is a time.
func lowest(step int64) EventTime { return above(NoTime, step) }

// remainder is how far t lies beyond a multiple of step: 0 <= remainder < step, also for negative times.
func remainder(t EventTime, step int64) int64 {
	r := int64(t) % step
	if r < 0 {
		r += step
	}
	return r
}
