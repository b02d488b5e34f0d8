package meter

import (
	"math"
	"slices"
	"time"
)

// Delays are the delays of one kind, each as it was: nothing is rounded into buckets.
type Delays []time.Duration

// Percentiles sum up delays, in ms.
type Percentiles struct {
	P50 float64 `json:"p50"`
	P99 float64 `json:"p99"`
	Max float64 `json:"max"`
}

// Percentiles is the summary of d, all zero if d is empty.
func (d Delays) Percentiles() Percentiles {
	s := d.Sorted()
	return Percentiles{s.At(50), s.At(99), s.At(100)}
}

// Sorted returns a sorted copy, which At can be asked.
func (d Delays) Sorted() Delays { return slices.Sorted(slices.Values(d)) }

// At returns, in ms, the smallest delay that the given percentage of all are not above;
// 0 if there are none. d must be sorted.
func (d Delays) At(percent float64) float64 {
	if len(d) == 0 {
		return 0
	}
	rank := int(math.Ceil(percent*float64(len(d))/100 - 1e-6)) // 99.9 is not quite that in binary
	return Round(d[min(max(rank, 1), len(d))-1].Seconds()*1000, 3)
}

// Round cuts a figure to so many digits behind the point: more would only pretend.
func Round(v float64, digits int) float64 {
	unit := math.Pow10(digits)
	return math.Round(v*unit) / unit
}
