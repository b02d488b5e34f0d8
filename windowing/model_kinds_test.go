package windowing

import (
	"math"
	"math/rand/v2"
	"time"

	"github.com/millrace/millrace/windowing/internal/grid"
)

// modelKinds make random windows of each kind, and tell the model what they are in the plainest way. edges says that
// the model knows them at the ends of time.
var modelKinds = map[string]struct {
	edges   bool
	windows func(r *rand.Rand, m *model, from int64) Windows
}{
	"hopping": {true, func(r *rand.Rand, m *model, from int64) Windows {
		size := 1 + r.Int64N(24)
		advance := 1 + r.Int64N(size)
		if r.IntN(2) == 0 {
			advance = size
		}
		return m.hopping(size, advance, offsetNear(r, from, advance))
	}},
	"panes": {true, func(r *rand.Rand, m *model, from int64) Windows {
		m.sorted = true
		width := 2 + r.Int64N(4)
		advance := 1 + r.Int64N(4)
		return m.hopping((advance+r.Int64N(6))*width, advance*width, offsetNear(r, from, advance*width))
	}},
	"cumulative": {false, func(r *rand.Rand, m *model, from int64) Windows {
		step := 1 + r.Int64N(8)
		size := step * (1 + r.Int64N(4))
		offset := offsetNear(r, from, size)
		m.of = func(ts int64) (all []Window) {
			for end := ts + 1; end <= ts+size; end++ { // every end there may be
				start := floor(end-1-offset, size)*size + offset
				if start <= ts && (end-offset)%step == 0 {
					all = append(all, Window{EventTime(start), EventTime(end)})
				}
			}
			return all
		}
		return Cumulative(time.Duration(step)*ms, time.Duration(size)*ms).Offset(time.Duration(offset) * ms)
	}},
	"days": {false, func(r *rand.Rand, m *model, from int64) Windows {
		const day = 86_400_000
		offset := floor(from+150+r.Int64N(100), day)
		by := from + 150 + r.Int64N(100) - offset*day // so that a day ends while the records come
		m.of = func(ts int64) []Window {
			start := floor(ts-by, day)*day + by
			return []Window{{EventTime(start), EventTime(start + day)}}
		}
		return Calendar(Day, time.UTC).Offset(time.Duration(by) * ms)
	}},
	"unlimited": {true, func(r *rand.Rand, m *model, from int64) Windows {
		start := from + r.Int64N(50)
		m.of = func(ts int64) []Window {
			if ts < start {
				return nil
			}
			return []Window{{EventTime(start), MaxTime}}
		}
		return Unlimited(EventTime(start))
	}},
	"custom": {false, func(r *rand.Rand, m *model, from int64) Windows {
		k := ragged{every: 2 + r.Int64N(9), least: 1 + r.Int64N(5), spread: 1 + r.Int64N(20)}
		offset := offsetNear(r, from, k.every)
		m.of = func(ts int64) (all []Window) {
			for end := ts - offset + 1; end <= ts-offset+30; end++ {
				if win, ok := k.ending(end); ok && int64(win.Start) <= ts-offset {
					all = append(all, Window{win.Start + EventTime(offset), win.End + EventTime(offset)})
				}
			}
			return all
		}
		return Custom(k).Offset(time.Duration(offset) * ms)
	}},
}

// hopping tells the model of hopping windows.
func (m *model) hopping(size, advance, offset int64) Windows {
	if offset == 0 {
		m.lowest = naiveStarts(1, advance, math.MinInt64)[0]
	}
	m.of = func(ts int64) (all []Window) {
		for _, start := range naiveStarts(size, advance, ts-offset) {
			all = append(all, Window{EventTime(start + offset), grid.Plus(EventTime(start+offset), size)})
		}
		return all
	}
	return Hopping(time.Duration(size)*ms, time.Duration(advance)*ms).Offset(time.Duration(offset) * ms)
}

// endless reports whether a window that reaches to the end of time was closed by the end of an input.
func (m *model) endless() bool {
	for win := range m.gone {
		if win.End == MaxTime {
			return true
		}
	}
	return false
}

// offsetNear is a random offset, none at the ends of time. Near zero it is less than a step: a larger one would move the
// rule about windows that start below zero; the model leaves that to other tests.
func offsetNear(r *rand.Rand, from, step int64) int64 {
	switch {
	case from < -1000 || from > 1<<60:
		return 0
	case from < 1000:
		return r.Int64N(2) * r.Int64N(step)
	}
	return r.Int64N(2) * (r.Int64N(100) - 50)
}

func floor(n, d int64) int64 {
	if r := n % d; r < 0 {
		return n/d - 1
	}
	return n / d
}

// ragged is a custom kind: windows of different lengths end every so many milliseconds. They overlap, or leave gaps.
type ragged struct{ every, least, spread int64 }

func (k ragged) ending(end int64) (Window, bool) {
	size := k.least + floor(end, k.every)*7%k.spread
	if size < k.least {
		size += k.spread
	}
	return Window{EventTime(end - size), EventTime(end)}, end == floor(end, k.every)*k.every
}

func (k ragged) Of(dst []Window, ts EventTime) []Window {
	first := (floor(int64(ts), k.every) + 1) * k.every
	for end := first; end <= int64(ts)+k.least+k.spread; end += k.every {
		if win, _ := k.ending(end); win.Start <= ts {
			dst = append(dst, win)
		}
	}
	return dst
}

// limit makes rolling do without pieces in some runs, from some point on.
func (r *rig) limit(rnd *rand.Rand) {
	if r.agg.panes != nil && rnd.IntN(2) == 0 {
		r.agg.panes.rolling.limit = rnd.IntN(20)
	}
}
