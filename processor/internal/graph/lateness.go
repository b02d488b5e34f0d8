package graph

import (
	"math"
	"math/bits"
	"time"
)

// A Lateness is a histogram of how late records were: how far the watermark was
// beyond the one at which their last window had closed. It has a fixed size, so
// that a record costs two additions and no memory.
type Lateness struct {
	Buckets [latenessBuckets]int64 // those up to each of LatenessBounds, then the rest; not cumulative
	Millis  int64                  // the sum; it stays at the highest rather than becoming negative
}

// The bounds are powers of four of the shortest, from a quarter of a second to
// twelve days: late records are late by what a network or a weekend takes.
const (
	latenessBuckets  = 13
	latenessShortest = 256 * time.Millisecond
)

// LatenessBounds returns the upper bounds of the buckets, but for the last one,
// which has none.
func LatenessBounds() []time.Duration {
	all := make([]time.Duration, latenessBuckets-1)
	for i := range all {
		all[i] = latenessShortest << (2 * i)
	}
	return all
}

// observe counts a record that was late by so many ms.
func (l *Lateness) observe(by int64) {
	by = max(by, 0)
	above := uint64(max(by-1, 0)) / uint64(latenessShortest.Milliseconds())
	l.Buckets[min((bits.Len64(above)+1)/2, latenessBuckets-1)]++
	l.Millis = plus(l.Millis, by)
}

// Add adds o to l.
func (l *Lateness) Add(o *Lateness) {
	for i, n := range o.Buckets {
		l.Buckets[i] += n
	}
	l.Millis = plus(l.Millis, o.Millis)
}

// plus adds two sums, neither negative. Records that are dated 0 by mistake are
// late by half a century each: some millions of them are more than 64 bits hold.
func plus(a, b int64) int64 {
	if a > math.MaxInt64-b {
		return math.MaxInt64
	}
	return a + b
}
