package windowing

import (
	"errors"
	"fmt"
	"time"

	"github.com/millrace/millrace/windowing/internal/grid"
)

// Window is a stretch of event time, [Start, End): Start belongs to it, End does not. Of sessions, which end with a
// record, and of sliding windows both belong to it: [Start, End].
type Window struct{ Start, End EventTime }

// Windows says how event time is cut into windows, how long each stays open, and when its values are sent on. It is a
// value, safe for concurrent use, made by Tumbling, Hopping, Cumulative, Calendar, Unlimited or Custom; the methods
// that ask about time need one that Validate accepts. Grace is 0, emission OnCommit and the offset 0 unless changed.
//
// What always holds:
//  1. Closed is the only test of whether a window is over. It judges records, and finals are sent by it, so no record
//     is accepted by a window whose final result was sent. It is monotone in the window's end and in the watermark.
//  2. No two windows have the same end, unless both reach to the end of time or are numbered by their starts.
//  3. Nothing overflows. A bound beyond the range of EventTime is taken as MaxTime; a time before the first start that
//     the range has room for counts as that start.
type Windows struct {
	size, advance, grace time.Duration
	offset, early        time.Duration
	emit                 Emit
	kind                 Kind // nil: tumbling or hopping
}

// Tumbling cuts time into windows of one size that do not overlap: they start at the multiples of size. size is
// positive and whole milliseconds.
func Tumbling(size time.Duration) Windows { return Windows{size: size, advance: size} }

// Hopping cuts time into windows of one size that start every advance, so that they overlap. size and advance are
// positive and whole milliseconds, advance is at most size. A time from 0 on is in no window that starts below 0. Each
// record costs one update for each window it is in, size / advance, unless the aggregate can combine panes: then one.
func Hopping(size, advance time.Duration) Windows { return Windows{size: size, advance: advance} }

// Grace keeps each window open until the watermark is d past its end. d is whole milliseconds and not negative; without
// a call it is 0.
func (w Windows) Grace(d time.Duration) Windows {
	w.grace = d
	return w
}

// Emit sets when results are sent on: OnCommit without a call. OnUpdate and OnClose are Kafka Streams' onWindowUpdate and
// onWindowClose.
func (w Windows) Emit(e Emit) Windows {
	w.emit = e
	return w
}

// Early sends, beside the results of OnClose or OnTime, what has changed in windows that wait for theirs, whenever
// the merged watermark reaches or passes a multiple of d. d is whole milliseconds and positive; without a call there
// are no early results.
func (w Windows) Early(d time.Duration) Windows {
	w.early = asked(d)
	return w
}

// Offset moves all bounds by d, which is whole milliseconds of either sign. Of tumbling, hopping and cumulative
// windows only what is left of it after dividing by the distance of their starts matters. Calendar windows begin d
// after midnight by the clock on the wall, also on days when that clock is changed; there d is less than one day
// (week: 7, month: 28 days) either way.
func (w Windows) Offset(d time.Duration) Windows {
	w.offset = d
	return w
}

// Size is the length of tumbling and hopping windows, and of the longest cumulative ones; 0 for other kinds.
func (w Windows) Size() time.Duration { return w.size }

// Advance is the distance between the starts of tumbling and hopping windows, which is the size if they do not
// overlap, and between the ends of cumulative ones; 0 for other kinds.
func (w Windows) Advance() time.Duration { return w.advance }

// GraceMillis is the grace in milliseconds.
func (w Windows) GraceMillis() int64 { return w.grace.Milliseconds() }

// Emission is when results are sent on, apart from those of Early.
func (w Windows) Emission() Emit { return w.emit }

// starting is the tumbling or hopping window with this start.
func (w Windows) starting(start EventTime) Window {
	return Window{Start: start, End: w.grid().End(start)}
}

// timeGrid is a grid of event time.
type timeGrid = grid.Grid[EventTime]

// grid is the arithmetic of tumbling and hopping windows, and of the numbers of the windows of a kind.
func (w Windows) grid() timeGrid {
	g := timeGrid{Size: 1, Step: 1, Grace: w.grace.Milliseconds()}
	if w.kind == nil {
		// Validate would refuse sizes below 1.
		g.Size, g.Step = max(1, w.size.Milliseconds()), max(1, w.advance.Milliseconds())
		g.Offset = grid.Remainder(w.offset.Milliseconds(), g.Step)
	}
	return g
}

// Of appends the windows that ts is in to dst, earliest end first. Of custom windows and before the start of the
// unlimited one there may be none.
func (w Windows) Of(dst []Window, ts EventTime) []Window {
	if w.kind != nil {
		return w.kinds().Of(dst, ts)
	}
	g := w.grid()
	for start, last := g.First(ts), g.Last(ts); ; start += EventTime(g.Step) {
		dst = append(dst, Window{Start: start, End: g.End(start)})
		if start >= last {
			return dst
		}
	}
}

// Due is the watermark at which a window closes: its end plus grace, at most MaxTime.
func (w Windows) Due(win Window) EventTime { return grid.Plus(win.End, w.grace.Milliseconds()) }

// Closed reports whether a window is over at a watermark: watermark >= end + grace. At NoTime no window is, at MaxTime
// every one.
func (w Windows) Closed(win Window, watermark EventTime) bool { return watermark >= w.Due(win) }

// Latest is the window that closes last among those that ts is in; false if there is none.
func (w Windows) Latest(ts EventTime) (Window, bool) {
	all := w.Of(nil, ts)
	if len(all) == 0 {
		return Window{}, false
	}
	return all[len(all)-1], true
}

// Validate returns all that is wrong with the windows, joined; nil if nothing is.
func (w Windows) Validate() error {
	var wrong []error
	complain := func(format string, args ...any) { wrong = append(wrong, fmt.Errorf(format, args...)) }
	switch k := w.kind.(type) {
	case nil:
		w.validateGrid(complain)
	case checked:
		k.validate(w.offset, complain)
	}
	if !wholeMillis(w.offset) {
		complain("windowing: the offset of windows must be whole milliseconds, got %v", w.offset)
	}
	return errors.Join(append(wrong, checkSending("windows", w.grace, w.early, w.emit)...)...)
}

func (w Windows) validateGrid(complain func(string, ...any)) {
	if w.size <= 0 || !wholeMillis(w.size) {
		complain("windowing: the size of windows must be positive whole milliseconds, got %v", w.size)
	}
	if w.advance <= 0 || !wholeMillis(w.advance) {
		complain("windowing: the advance of windows must be positive whole milliseconds, got %v", w.advance)
	}
	if w.advance > w.size {
		complain("windowing: the advance of windows must not exceed their size, or records between them would be lost: got advance %v, size %v", w.advance, w.size)
	}
}

func wholeMillis(d time.Duration) bool { return d%time.Millisecond == 0 }
