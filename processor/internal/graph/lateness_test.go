package graph

import (
	"math"
	"testing"
)

// TestLatenessCountsUpToTheBounds: a record is in the bucket of the first bound
// that is not below it.
func TestLatenessCountsUpToTheBounds(t *testing.T) {
	bounds := LatenessBounds()
	for i, b := range bounds {
		for by, bucket := range map[int64]int{b.Milliseconds(): i, b.Milliseconds() + 1: i + 1} {
			var c Counters
			c.Lateness.observe(by)
			for j, n := range c.Lateness.Buckets {
				if (n == 1) != (j == bucket) {
					t.Errorf("late by %d ms: %d in bucket %d, which ends at %v", by, n, j, bounds[min(j, len(bounds)-1)])
				}
			}
			var sum Counters
			sum.Add(&c)
			sum.Add(&c)
			if sum.Lateness.Millis != 2*by || sum.Lateness.Buckets[bucket] != 2 {
				t.Errorf("twice late by %d: %+v", by, sum.Lateness)
			}
		}
	}
	var zero Lateness
	zero.observe(0)
	if zero.Buckets[0] != 1 || zero.Millis != 0 {
		t.Errorf("late by 0: %+v", zero)
	}
}

// TestTheSumOfLatenessStaysAtTheHighest: it does not become negative, however
// many records are dated wrong.
func TestTheSumOfLatenessStaysAtTheHighest(t *testing.T) {
	const half = math.MaxInt64/2 + 1
	var seen, sum Lateness
	for range 2 {
		seen.observe(half)
		sum.Add(&Lateness{Millis: half})
	}
	if seen.Millis != math.MaxInt64 || sum.Millis != math.MaxInt64 {
		t.Errorf("observed %d, added %d", seen.Millis, sum.Millis)
	}
}
