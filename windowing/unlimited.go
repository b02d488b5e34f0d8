package windowing

import "time"

// Unlimited is one window from start on that never closes, but for the end of a bounded run. A record before start is
// dropped as late. start is a finite time.
//
// Its end is MaxTime. With OnClose and OnTime its values are sent at the end of a bounded run only; use Early to see
// them before.
func Unlimited(start EventTime) Windows { return Windows{kind: unlimited{start}} }

// unlimited is the kind behind Unlimited.
type unlimited struct{ start EventTime }

func (u unlimited) validate(_ time.Duration, complain func(string, ...any)) {
	if u.start == NoTime || u.start == MaxTime {
		complain("windowing: the start of the unlimited window must be a finite time")
	}
}

func (u unlimited) offset(d time.Duration) Kind { return unlimited{u.start.Add(d)} }

func (u unlimited) Of(dst []Window, ts EventTime) []Window {
	if ts < u.start {
		return dst
	}
	return append(dst, Window{Start: u.start, End: MaxTime})
}
