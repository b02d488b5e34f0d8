package graph

import (
	"fmt"
	"math"
	"math/bits"
	"time"
)

// NoBound says that a topic takes any time on one side of the clock.
const NoBound = math.MaxInt64

// Limits are what a topic takes. They belong to whoever owns the tasks that
// write it: that one may change them between two calls of a task, as somebody
// has changed the settings of the topic.
//
// What a broker refuses it refuses with everything that was sent beside it, so
// what it would refuse is not sent.
type Limits struct {
	MaxBytes      int   // of a record in a batch of its own
	Before, After int64 // how far a time may lie behind and ahead of the wall clock, ms; NoBound for any
	Compacted     bool  // it takes no record without a key
}

// Unlimited returns the limits of a topic of which nothing is known.
func Unlimited() *Limits { return &Limits{MaxBytes: math.MaxInt, Before: NoBound, After: NoBound} }

// Sizes of a record batch on the wire, as the client counts them.
const (
	batchBytes  = 4 + 8 + 4 + 4 + 1 + 4 + 2 + 4 + 8 + 8 + 8 + 2 + 4 + 4
	recordBytes = 1 + 1 + 1 // attributes, and two differences that are 0
	mostVarint  = 5
)

// nearBytes is more than what comes to key and value where there are no headers.
const nearBytes = batchBytes + recordBytes + 4*mostVarint

// Takes reports whether the topic takes out when the wall clock is at wall, ms
// since epoch; at 0 it is not known, and any time will do.
func (l *Limits) Takes(out *Out, wall int64) bool {
	if out.Key == nil && l.Compacted || wall > 0 && (out.Timestamp-wall > l.After || wall-out.Timestamp > l.Before) {
		return false
	}
	return len(out.Headers) == 0 && len(out.Key)+len(out.Value) <= Bare(l.MaxBytes) || out.WireSize() <= l.MaxBytes
}

// Bare is how many bytes key and value of a record without headers have together for
// sure, where its batch has so many.
func Bare(batch int) int { return batch - nearBytes }

// WireSize is the size of a batch that holds the record alone.
func (o *Out) WireSize() int {
	n := recordBytes + varint(len(o.Key)) + len(o.Key) + varint(len(o.Value)) + len(o.Value) + varint(len(o.Headers))
	for i := range o.Headers {
		h := &o.Headers[i]
		n += varint(len(h.Key)) + len(h.Key) + varint(len(h.Value)) + len(h.Value)
	}
	return batchBytes + varint(n) + n
}

// varint is the length of a number, not negative, as a zigzag varint.
func varint(n int) int { return (bits.Len64(uint64(n)<<1|1) + 6) / 7 }

// Why says what is wrong with out where Takes is false, and what to do.
func (l *Limits) Why(out *Out, wall int64) error {
	switch size := out.WireSize(); {
	case size > l.MaxBytes:
		return l.TooLong(out.Topic, size)
	case out.Key == nil && l.Compacted:
		return fmt.Errorf("topic %q is compacted (cleanup.policy) and takes no record without a key: give it one, or filter it out", out.Topic)
	case out.Timestamp > wall:
		return fmt.Errorf("topic %q: the time %s is %v ahead of the clock and the topic takes %v (message.timestamp.after.max.ms): raise that, or give To the option ClampTime; where it is the time of a record, and not the end of a window, a lower MaxAhead of the source keeps it out",
			out.Topic, shown(out.Timestamp), millis(out.Timestamp-wall), millis(l.After))
	}
	return fmt.Errorf("topic %q: the time %s is %v behind the clock and the topic takes %v (message.timestamp.before.max.ms): raise that, or give To the option ClampTime",
		out.Topic, shown(out.Timestamp), millis(wall-out.Timestamp), millis(l.Before))
}

// TooLong says that a record, or its value alone, is larger than its topic takes.
func (l *Limits) TooLong(topic string, size int) error {
	return fmt.Errorf("topic %q: the record has %d bytes or more and the topic takes %d (max.message.bytes): raise that, or make the value smaller", topic, size, l.MaxBytes)
}

func shown(ms int64) string { return time.UnixMilli(ms).UTC().Format(time.RFC3339) }

func millis(ms int64) time.Duration {
	return time.Duration(min(ms, math.MaxInt64/int64(time.Millisecond))) * time.Millisecond
}

// clampMargin is how far inside of its bounds a topic gets a time that was
// brought there, ms, as far as that is less than half of them: the clocks of the
// brokers are others, and go on.
const clampMargin = 60_000

// Clamp returns the time that is nearest to at among those that the topic takes
// for sure; at 0 the wall clock is not known, and nothing is changed.
func (l *Limits) Clamp(at, wall int64) int64 {
	if wall <= 0 {
		return at
	}
	if l.After != NoBound && at-wall > l.After-min(clampMargin, l.After/2) {
		return wall + l.After - min(clampMargin, l.After/2)
	}
	if l.Before != NoBound && wall-at > l.Before-min(clampMargin, l.Before/2) {
		return max(wall-l.Before+min(clampMargin, l.Before/2), 0)
	}
	return at
}
