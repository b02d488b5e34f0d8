package compare

import "slices"

// A Spread is the middle and the range of repeated figures.
type Spread struct {
	Median, Min, Max float64
	N                int
}

// SpreadOf sums figures up; of nothing it is the zero value.
func SpreadOf(values []float64) Spread {
	n := len(values)
	if n == 0 {
		return Spread{}
	}
	s := slices.Sorted(slices.Values(values))
	return Spread{Median: (s[(n-1)/2] + s[n/2]) / 2, Min: s[0], Max: s[n-1], N: n}
}

// each takes one figure of every result.
func each(results []Result, figure func(Result) float64) Spread {
	var values []float64
	for _, r := range results {
		values = append(values, figure(r))
	}
	return SpreadOf(values)
}
