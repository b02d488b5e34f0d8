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

	idle    time.Duration // 0: no partition is ever idle
	behind  time.Duration // of the wall clock, for idle partitions
	follows bool          // behind was set

	told      bool // by markers, or by generators if generated
	generated bool // generator was set
	generator func(restored EventTime) Generator

	drift   time.Duration // 0: no alignment
	aligned bool          // drift was set
}

// Generator tells the watermark of one channel from the times of its records: a strategy of one's own. It is used by
// one task, and must be a function of the times alone: no clock, no randomness, or a replay would decide otherwise.
type Generator interface {
	// Observe is called with the time of each record that is believed, in order, and returns the watermark that its
	// time has moved: no record below it is expected any more. What goes back is ignored; what is further ahead than
	// MaxAhead allows is not believed, and the record is dropped as future.
	Observe(ts EventTime) EventTime
}

// Generated takes the watermarks of each channel from a generator of its own. make is called when a task begins, with
// the watermark that was stored with the channel's position, or NoTime: all else that a generator knows starts anew.
// Neither make nor what it returns may be nil.
func Generated(make func(restored EventTime) Generator) Watermarks {
	return Watermarks{told: true, generated: true, generator: make}
}

// Punctuated takes watermarks from marker records alone: those for which the Marker of the source's topic gives a
// time. Between markers the watermark stands. A marker is believed as far as a record of its time would be (MaxAhead);
// one that is not is dropped as future.
func Punctuated() Watermarks { return Watermarks{told: true} }

// Marked says that the watermarks come from marker records.
func (w Watermarks) Marked() bool { return w.told && !w.generated }

// MaxDrift holds back partitions that are more than d ahead of the slowest, among those of sources with a MaxDrift in
// the same worker that have records waiting (Flink's watermark alignment): in a catch-up the windows behind them then
// hold d more of time, not all of it. The slowest, the one with the oldest next record, always goes on. Bounded runs
// ignore it. d is whole milliseconds and at least 1.
func (w Watermarks) MaxDrift(d time.Duration) Watermarks {
	w.drift, w.aligned = d, true
	return w
}

// Drift is the duration given to MaxDrift; false if it was not.
func (w Watermarks) Drift() (d time.Duration, ok bool) { return w.drift, w.aligned }

// Bounded expects no record more than d older than the newest before it on its channel: the watermark is the highest
// time seen, less d. d is whole milliseconds and not negative.
func Bounded(d time.Duration) Watermarks { return Watermarks{bound: d} }

// Ascending expects records in the order of their times: Bounded(0). The watermark is Kafka Streams' stream time, but
// of each partition for itself.
func Ascending() Watermarks { return Bounded(0) }

// MaxAhead sets how far a record may be ahead of both the wall clock and the channel's own time and still be believed.
// d is whole milliseconds and not negative; without a call it is DefaultMaxAhead. What is not believed is dropped as
// future.
func (w Watermarks) MaxAhead(d time.Duration) Watermarks {
	w.ahead, w.limited = d, true
	return w
}

// Ahead is the duration given to MaxAhead, or else DefaultMaxAhead.
func (w Watermarks) Ahead() time.Duration {
	if w.limited {
		return w.ahead
	}
	return DefaultMaxAhead
}

// Idle takes a partition out of account that has been at its end for d (Flink's withIdleness): it no longer holds the
// windows of others open. That it is at its end is proved, by asking the broker: its position is the partition's high
// watermark, with nothing waiting. When all are idle, the highest watermark holds. What comes when the silence is over
// is late where the others have gone on, and so are the results of windows that stayed open on the idle partition where
// they are used further; FollowClock avoids both. d is whole milliseconds and at least 1; without Idle no partition
// ever is. Bounded runs ignore it.
func (w Watermarks) Idle(d time.Duration) Watermarks {
	w.idle = d
	if d <= 0 {
		w.idle = -1 // for Validate
	}
	return w
}

// FollowClock lets the time of an idle partition follow the wall clock, d behind it, so that windows close although
// nothing comes. It goes no further than to where the broker, asked each second, had nothing. Whoever sets it declares
// that no record is ever more than d late against the wall clock. A record that keeps to that is late nowhere, for the
// others wait for this partition, by at most d. It needs Idle; d is whole milliseconds and not negative.
func (w Watermarks) FollowClock(d time.Duration) Watermarks {
	w.behind, w.follows = d, true
	return w
}

// IdleAfter is the duration given to Idle, 0 if partitions are never idle.
func (w Watermarks) IdleAfter() time.Duration { return w.idle }

// FollowsClock is the duration given to FollowClock; false if it was not.
func (w Watermarks) FollowsClock() (behind time.Duration, ok bool) { return w.behind, w.follows }

// Validate returns all that is wrong with the rule, joined; nil if nothing is.
func (w Watermarks) Validate() error {
	var wrong []error
	if w.bound < 0 || !wholeMillis(w.bound) {
		wrong = append(wrong, fmt.Errorf("windowing: the disorder bound of watermarks must be whole milliseconds from 0 on, got %v", w.bound))
	}
	if w.ahead < 0 || !wholeMillis(w.ahead) {
		wrong = append(wrong, fmt.Errorf("windowing: MaxAhead of watermarks must be whole milliseconds from 0 on, got %v", w.ahead))
	}
	if w.idle < 0 || !wholeMillis(w.idle) {
		wrong = append(wrong, fmt.Errorf("windowing: Idle of watermarks must be whole milliseconds from 1 on"))
	}
	if w.follows && (w.behind < 0 || !wholeMillis(w.behind) || w.idle == 0) {
		wrong = append(wrong, fmt.Errorf("windowing: FollowClock of watermarks must be whole milliseconds from 0 on, got %v, and needs Idle", w.behind))
	}
	if w.generated && w.generator == nil {
		wrong = append(wrong, fmt.Errorf("windowing: Generated needs a function that makes generators, got nil; for watermarks from marker records use Punctuated"))
	}
	if w.aligned && (w.drift <= 0 || !wholeMillis(w.drift)) {
		wrong = append(wrong, fmt.Errorf("windowing: MaxDrift of watermarks must be whole milliseconds from 1 on, got %v", w.drift))
	}
	return errors.Join(wrong...)
}

// Channel makes a channel that goes on from a watermark that was stored with its position; NoTime for a new one.
func (w Watermarks) Channel(restored EventTime) Channel {
	c := Channel{bound: w.bound.Milliseconds(), ahead: w.Ahead().Milliseconds(), max: NoTime, told: w.told, mark: NoTime}
	if w.generator != nil {
		c.generator = w.generator(restored)
	}
	c.Advance(restored)
	return c
}
