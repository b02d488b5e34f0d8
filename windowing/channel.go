package windowing

import "github.com/millrace/millrace/windowing/internal/grid"

// Channel is the time of one sequence of records that is read in order: a source partition. It belongs to the task
// that reads the partition, and is a few words that may be copied while nothing was observed.
//
// What always holds: the watermark never goes back, is a function of the records observed alone, and is finite: an end
// of input is for the owner to know, not for the channel.
type Channel struct {
	max          EventTime // highest time believed, NoTime if none
	bound, ahead int64     // ms

	told      bool      // the watermark is told by markers or a generator, and is mark
	mark      EventTime // NoTime if none
	generator Generator // nil for markers
}

// Observe moves the channel by the time of its next record. now is the wall clock, or the logical one of a bounded
// run. If ts is more than MaxAhead beyond the later of now and the channel's own highest time, the record is not
// believed: ok is false and nothing moved. The same holds if a generator answers with such a time. A record is judged by
// the watermark that its own time has moved.
func (c *Channel) Observe(ts, now EventTime) (ok bool) { return c.ObserveMarker(ts, NoTime, now) }

// ObserveMarker is Observe for a record that announces the watermark mark; channels whose watermark is not told ignore
// that. A mark is believed as far as the next record would be; one that is not makes the record one of the future.
func (c *Channel) ObserveMarker(ts, mark, now EventTime) (ok bool) {
	switch {
	case !c.Believes(ts, now):
		return false
	case c.told:
		return c.observeTold(ts, mark, now)
	}
	c.max = max(c.max, ts)
	return true
}

func (c *Channel) observeTold(ts, mark, now EventTime) bool {
	if c.generator != nil {
		mark = c.generator.Observe(ts)
	}
	moved := Channel{max: max(c.max, ts), ahead: c.ahead}
	if !moved.Believes(mark, now) {
		return false
	}
	c.max = moved.max
	c.tell(mark)
	return true
}

// Believes says that the time of a record is not too far ahead of now and of what the channel has seen.
func (c *Channel) Believes(ts, now EventTime) bool {
	return ts <= c.max || ts <= grid.Plus(max(now, c.max), c.ahead) && ts != MaxTime
}

// tell moves a watermark that is told. The channel's own time is never behind it.
func (c *Channel) tell(at EventTime) {
	c.mark = max(c.mark, at)
	c.max = max(c.max, c.mark)
}

// Watermark is the highest time less the bound, or what was told: no older record is expected. NoTime if nothing was
// observed or told.
func (c *Channel) Watermark() EventTime {
	switch {
	case c.told:
		return c.mark
	case c.max == NoTime:
		return NoTime
	}
	return grid.Plus(c.max, -c.bound)
}

// Believed restores the highest time believed, of a channel that was just made: where the watermark is told, it does not
// follow from that, and what was believed before would be of the future now. Other channels ignore it.
func (c *Channel) Believed(highest EventTime) {
	if c.told {
		c.max = max(c.max, min(highest, MaxTime-1))
	}
}

// Max is the highest time believed, that of a record or a told watermark; NoTime if none. Where the channel was restored
// or advanced it is the watermark plus the bound.
func (c *Channel) Max() EventTime { return c.max }

// Advance raises the watermark to at, as far as it is finite, as if a record had shown the time; it reports whether
// that moved it. It never goes back.
func (c *Channel) Advance(at EventTime) bool {
	before := c.Watermark()
	switch {
	case at <= before:
		return false
	case c.told:
		c.tell(min(at, MaxTime-1))
	default:
		c.max = min(grid.Plus(at, c.bound), MaxTime-1)
	}
	return c.Watermark() > before
}
