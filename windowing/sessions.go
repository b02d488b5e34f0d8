package windowing

import (
	"errors"
	"fmt"
	"time"
)

// SessionWindows cuts the records of each key into sessions: stretches of activity with pauses of more than a gap
// between them. A session is [first, last], the times of its first and its last record, and both belong to it. It is a
// value, safe for concurrent use, made by Session.
//
// What always holds:
//  1. Two records of a key whose times are at most the gap apart are in one session, as long as it is open; a record
//     between two sessions, within reach of both, makes them one.
//  2. A session is closed when W > last + gap + grace, and no earlier: Due is the one test, by which records are judged
//     and results sent.
type SessionWindows struct {
	gap, grace time.Duration
	emit       Emit
}

// Session cuts the records of each key wherever they pause for more than gap, which is positive and whole
// milliseconds. Grace is 0 and emission OnCommit unless changed.
func Session(gap time.Duration) SessionWindows { return SessionWindows{gap: gap} }

// Grace keeps each session open until the watermark is more than gap + d past its last record. d is whole milliseconds
// and not negative.
func (w SessionWindows) Grace(d time.Duration) SessionWindows {
	w.grace = d
	return w
}

// Emit sets when results are sent on.
func (w SessionWindows) Emit(e Emit) SessionWindows {
	w.emit = e
	return w
}

// Gap is the longest pause inside a session.
func (w SessionWindows) Gap() time.Duration { return w.gap }

// GraceMillis is the grace in milliseconds.
func (w SessionWindows) GraceMillis() int64 { return w.grace.Milliseconds() }

// Emission is when results are sent on.
func (w SessionWindows) Emission() Emit { return w.emit }

// Validate returns all that is wrong with the sessions, joined; nil if nothing is.
func (w SessionWindows) Validate() error {
	wrong := []error{checkEmit(w.emit)}
	if w.gap <= 0 || !wholeMillis(w.gap) {
		wrong = append(wrong, fmt.Errorf("windowing: the gap of sessions must be positive whole milliseconds, got %v", w.gap))
	}
	if w.grace < 0 || !wholeMillis(w.grace) {
		wrong = append(wrong, fmt.Errorf("windowing: the grace of sessions must be whole milliseconds from 0 on, got %v", w.grace))
	}
	return errors.Join(wrong...)
}

// Latest is the session that a record of this time is on its own.
func (w SessionWindows) Latest(ts EventTime) (Window, bool) { return Window{Start: ts, End: ts}, true }

// Due is the watermark at which a session with this last record closes: 1 ms after last + gap + grace, at most
// MaxTime.
func (w SessionWindows) Due(last EventTime) EventTime {
	return plus(last, w.gap.Milliseconds()+w.grace.Milliseconds()+1)
}

func (w SessionWindows) definition() {}
