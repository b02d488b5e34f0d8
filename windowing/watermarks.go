package windowing

import (
	"errors"
	"fmt"
	"time"
)

// DefaultMaxAhead is how far a record may be ahead of what its channel knows of the time, unless MaxAhead says
// otherwise.
const DefaultMaxAhead = 24 * time.Hour

// Watermarks is the rule by which the channels of a source tell the time from the records they carry. It is a value,
// safe for concurrent use; the zero value is Ascending.
type Watermarks struct {
	bound, ahead time.Duration
	limited      bool // ahead was set
}

// Bounded expects no record more than d older than the newest before it on its channel: the watermark is the highest
// time seen, less d. d is whole milliseconds and not negative.
func Bounded(d time.Duration) Watermarks { return Watermarks{bound: d} }

// Ascending expects records in the order of their times: Bounded(0). The watermark is Kafka Streams' stream time, but
// of each partition for itself.
func Ascending() Watermarks { return Bounded(0) }

// MaxAhead sets how far a record may be ahead of both the wall clock and the channel's own time and still be believed.
// d is whole milliseconds and not negative.
func (w Watermarks) MaxAhead(d time.Duration) Watermarks {
	w.ahead, w.limited = d, true
	return w
}

// Validate returns all that is wrong with the rule, joined; nil if nothing is.
func (w Watermarks) Validate() error {
	var wrong []error
	if w.bound < 0 || !wholeMillis(w.bound) {
		wrong = append(wrong, fmt.Errorf("windowing: the disorder bound of watermarks must be whole milliseconds from 0 on, got %v", w.bound))
	}
	if w.ahead < 0 || !wholeMillis(w.ahead) {
		wrong = append(wrong, fmt.Errorf("windowing: MaxAhead of watermarks must be whole milliseconds from 0 on, got %v", w.ahead))
	}
	return errors.Join(wrong...)
}

// Channel makes a channel that goes on from a watermark that was stored with its position; NoTime for a new one.
func (w Watermarks) Channel(restored EventTime) Channel {
	c := Channel{bound: w.bound.Milliseconds(), ahead: DefaultMaxAhead.Milliseconds(), max: NoTime}
	if w.limited {
		c.ahead = w.ahead.Milliseconds()
	}
	c.Advance(restored)
	return c
}
