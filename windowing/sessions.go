package windowing

import (
	"errors"
	"fmt"
	"time"

	"github.com/millrace/millrace/windowing/internal/grid"
)

// SessionWindows cuts the records of each key into sessions: stretches of activity with pauses of more than a gap
// between them. A session is [first, last], the times of its first and its last record, and both belong to it. It is a
// value, safe for concurrent use, made by Session.
//
// What always holds:
//  1. Two records of a key whose times are at most the gap apart are in one session, as long as it is open; a record
//     between two sessions, within reach of both, makes them one.
//  2. A session is closed when the watermark is beyond last + gap + grace, and no earlier: Due is the one test, by which
//     records are judged and finals sent.
type SessionWindows struct {
	gap, grace, early time.Duration
	emit              Emit
}

// Session cuts the records of each key wherever they pause for more than gap, which is positive and whole
// milliseconds. Grace is 0 and emission OnCommit unless changed.
func Session(gap time.Duration) SessionWindows { return SessionWindows{gap: gap} }

// Grace keeps each session open until the watermark is more than gap + d past its last record. d is whole milliseconds
// and not negative; without a call it is 0.
func (w SessionWindows) Grace(d time.Duration) SessionWindows {
	w.grace = d
	return w
}

// Emit sets when results are sent on: OnCommit without a call. Whenever they are, they carry the time of the session's
// last record.
func (w SessionWindows) Emit(e Emit) SessionWindows {
	w.emit = e
	return w
}

// Early sends, beside the results of OnClose or OnTime, the sessions that have changed and wait for theirs, whenever the
// merged watermark reaches or passes a multiple of d, which is whole milliseconds of event time and positive; without a
// call there are no early results. A session that has outgrown what was sent of it sends a tombstone for that first.
func (w SessionWindows) Early(d time.Duration) SessionWindows {
	w.early = asked(d)
	return w
}

// Gap is the longest pause inside a session.
func (w SessionWindows) Gap() time.Duration { return w.gap }

// GraceMillis is the grace in milliseconds.
func (w SessionWindows) GraceMillis() int64 { return w.grace.Milliseconds() }

// Emission is when results are sent on, apart from those of Early.
func (w SessionWindows) Emission() Emit { return w.emit }

// Validate returns all that is wrong with the sessions, joined; nil if nothing is.
func (w SessionWindows) Validate() error {
	var wrong []error
	if w.gap <= 0 || !wholeMillis(w.gap) {
		wrong = append(wrong, fmt.Errorf("windowing: the gap of sessions must be positive whole milliseconds, got %v", w.gap))
	}
	return errors.Join(append(wrong, checkSending("sessions", w.grace, w.early, w.emit)...)...)
}

// Latest is the session that a record of this time is on its own.
func (w SessionWindows) Latest(ts EventTime) (Window, bool) { return Window{Start: ts, End: ts}, true }

// Due is the watermark at which a session with this last record closes: 1 ms after last + gap + grace, at most
// MaxTime.
func (w SessionWindows) Due(last EventTime) EventTime {
	return grid.Plus(last, w.gap.Milliseconds()+w.grace.Milliseconds()+1)
}
