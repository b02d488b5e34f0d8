package windowing

import (
	"math"
	"time"

	"github.com/millrace/millrace/windowing/internal/grid"
)

// EventTime is a point in event time: milliseconds since the epoch, negative before it. It is as valid for record
// times as for watermarks.
type EventTime int64

const (
	// NoTime is a watermark that nothing is below: none yet. It is the time of no record.
	NoTime EventTime = math.MinInt64
	// MaxTime is the virtual end of time: the watermark of a channel on which nothing comes any more. It is the time
	// of no record and is never stored.
	MaxTime EventTime = math.MaxInt64
)

// At is the event time of t, rounded down to whole milliseconds. Times outside of the range of EventTime give its
// first or last finite value.
func At(t time.Time) EventTime {
	const most = math.MaxInt64/1000 - 1
	switch s := t.Unix(); {
	case s > most:
		return MaxTime - 1
	case s < -most:
		return NoTime + 1
	}
	return EventTime(t.UnixMilli())
}

// Time is t on the calendar, in UTC. NoTime and MaxTime have no meaningful one.
func (t EventTime) Time() time.Time { return time.UnixMilli(int64(t)).UTC() }

// Add moves t by d, cut to whole milliseconds. NoTime and MaxTime stay what they are, and no finite time becomes
// either: at the ends of the range Add stops one short.
func (t EventTime) Add(d time.Duration) EventTime {
	if t == NoTime || t == MaxTime {
		return t
	}
	return min(max(grid.Plus(t, d.Milliseconds()), NoTime+1), MaxTime-1)
}
