package windowing

import (
	"errors"
	"fmt"
	"time"

	"github.com/millrace/millrace/windowing/internal/grid"
)

// SlidingWindows looks at every stretch of one length in which the records of a key differ: one window ends at each
// record, and one starts 1 ms after each record, if another one falls into it. A window is [start, start + difference],
// and both ends belong to it. It is a value, safe for concurrent use, made by Sliding.
//
// What always holds:
//  1. A time from 0 on is in no window that starts below 0: the records before difference share [0, difference].
//  2. A window is closed when the watermark is beyond its end + grace, and no earlier: Due is the one test, by which
//     records are judged and finals sent.
//  3. A record is late when the windows that could contain it are closed, whether they exist or not.
type SlidingWindows struct {
	difference, grace, early time.Duration
	emit                     Emit
}

// Sliding takes together the records of a key that are at most difference apart, which is positive and whole
// milliseconds. A record costs one update for each window it is in, and there are about twice as many as the key has
// records within difference. Grace is 0 and emission OnCommit unless changed.
func Sliding(difference time.Duration) SlidingWindows { return SlidingWindows{difference: difference} }

// Grace keeps each window open until the watermark is more than d past its end. d is whole milliseconds and not
// negative; without a call it is 0.
func (w SlidingWindows) Grace(d time.Duration) SlidingWindows {
	w.grace = d
	return w
}

// Emit sets when results are sent on: OnCommit without a call.
func (w SlidingWindows) Emit(e Emit) SlidingWindows {
	w.emit = e
	return w
}

// Early sends, beside the results of OnClose or OnTime, the windows that have changed and wait for theirs, whenever the
// merged watermark reaches or passes a multiple of d, which is whole milliseconds of event time and positive; without a
// call there are no early results.
func (w SlidingWindows) Early(d time.Duration) SlidingWindows {
	w.early = asked(d)
	return w
}

// Difference is the length of each window: the distance between its first and its last instant.
func (w SlidingWindows) Difference() time.Duration { return w.difference }

// GraceMillis is the grace in milliseconds.
func (w SlidingWindows) GraceMillis() int64 { return w.grace.Milliseconds() }

// Emission is when results are sent on, apart from those of Early.
func (w SlidingWindows) Emission() Emit { return w.emit }

// Validate returns all that is wrong with the windows, joined; nil if nothing is.
func (w SlidingWindows) Validate() error {
	var wrong []error
	if w.difference <= 0 || !wholeMillis(w.difference) {
		wrong = append(wrong, fmt.Errorf("windowing: the difference of sliding windows must be positive whole milliseconds, got %v", w.difference))
	}
	return errors.Join(append(wrong, checkSending("sliding windows", w.grace, w.early, w.emit)...)...)
}

// Window is the window with this start.
func (w SlidingWindows) Window(start EventTime) Window {
	return Window{Start: start, End: grid.Plus(start, w.difference.Milliseconds())}
}

// Latest is the window that starts at the record: no later one contains it.
func (w SlidingWindows) Latest(ts EventTime) (Window, bool) { return w.Window(ts), true }

// Due is the watermark at which the window with this start closes: 1 ms after its end + grace, at most MaxTime.
func (w SlidingWindows) Due(start EventTime) EventTime {
	return grid.Plus(start, w.difference.Milliseconds()+w.grace.Milliseconds()+1)
}
