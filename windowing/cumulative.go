package windowing

import (
	"time"

	"github.com/millrace/millrace/windowing/internal/grid"
)

// Cumulative cuts time into stretches of one size, and each of them into windows that all begin with it and end one
// step further each: [s, s+step), [s, s+2 step), ..., [s, s+size). Each closes at its own end, so that a day can be
// seen growing hour by hour. step and size are positive whole milliseconds, size is a multiple of step. A record
// costs one update for each window it is in: up to size / step.
func Cumulative(step, size time.Duration) Windows {
	return Windows{size: size, advance: step, kind: cumulative{step: step, size: size}}
}

// cumulative is the kind behind Cumulative.
type cumulative struct{ step, size, by time.Duration }

func (c cumulative) validate(_ time.Duration, complain func(string, ...any)) {
	if c.step <= 0 || !wholeMillis(c.step) {
		complain("windowing: the step of cumulative windows must be positive whole milliseconds, got %v", c.step)
	}
	if c.size <= 0 || !wholeMillis(c.size) {
		complain("windowing: the size of cumulative windows must be positive whole milliseconds, got %v", c.size)
	}
	if c.step > 0 && c.size%c.step != 0 {
		complain("windowing: the size of cumulative windows must be a multiple of their step: got step %v, size %v", c.step, c.size)
	}
}

func (c cumulative) offset(d time.Duration) Kind {
	c.by = d
	return c
}

func (c cumulative) Of(dst []Window, ts EventTime) []Window {
	step, size := max(1, c.step.Milliseconds()), max(1, c.size.Milliseconds())
	whole := timeGrid{Size: size, Step: size, Offset: grid.Remainder(c.by.Milliseconds(), size)}
	ts = max(ts, whole.Lowest())
	start := whole.Last(ts)
	end := grid.Plus(start, (int64(ts-start)/step+1)*step)
	for last := grid.Plus(start, size); ; end = grid.Plus(end, step) {
		dst = append(dst, Window{Start: start, End: end})
		if end >= last {
			return dst
		}
	}
}
