package windowing

import (
	"encoding/binary"
	"maps"
	"slices"

	"github.com/millrace/millrace/state"
	"github.com/millrace/millrace/windowing/internal/grid"
)

// changes remembers which values have changed since the last early results. It is no state: after a restart, and where
// more has changed than is worth remembering, all values count as changed, and some may be sent again unchanged.
type changes struct {
	every int64               // ms between early results; 0 for none
	next  EventTime           // watermark at which they are due
	all   bool                // all values of open windows count as changed
	noted map[string]struct{} // number in 8 bytes that sort like it, and key
	bytes []byte              // scratch
	kept  kept                // for a savepoint
}

// changesMax bounds the changes remembered between two early results.
const changesMax = 1 << 18

func (c *changes) restart(every int64, merged EventTime) {
	c.every, c.all, c.next = every, true, MaxTime
	if every > 0 {
		c.noted = make(map[string]struct{})
		c.advance(merged)
	}
}

// advance sets next to the first multiple above the watermark.
func (c *changes) advance(merged EventTime) {
	if c.next = (timeGrid{Step: c.every}).Above(merged); c.next <= merged {
		c.next = MaxTime // there is none
	}
}

// last is the latest multiple that a watermark has reached.
func (c *changes) last(merged EventTime) EventTime {
	return merged - EventTime(grid.Remainder(int64(merged), c.every))
}

func (c *changes) any() bool { return c.every > 0 && (c.all || len(c.noted) > 0) }

func (c *changes) note(number EventTime, key []byte) {
	if c.all {
		return
	}
	c.bytes = append(binary.BigEndian.AppendUint64(c.bytes[:0], uint64(number)^1<<63), key...)
	if _, ok := c.noted[string(c.bytes)]; ok {
		return
	}
	if len(c.noted) >= changesMax {
		c.all = true
		clear(c.noted)
		return
	}
	c.noted[string(c.bytes)] = struct{}{}
	if c.kept.noting {
		c.kept.noted = append(c.kept.noted, string(c.bytes))
	}
}

// take returns the changes noted, windows ascending and within each the key bytes, and forgets them.
func (c *changes) take() []string {
	noted := slices.Sorted(maps.Keys(c.noted))
	clear(c.noted)
	c.all = false
	return noted
}

// emitEarly sends what has changed in the windows that still wait for their result. It carries the time at which it is
// due, but stays inside of its window.
func (a *Aggregation[A]) emitEarly(merged EventTime) error {
	all, at := a.early.all, a.early.last(merged)
	noted := a.early.take()
	if all {
		for _, s := range slices.Clone(a.store.Starts()) {
			win, ok := a.waiting(EventTime(s), merged)
			if !ok {
				continue
			}
			err := a.store.Each(s, func(key []byte, v *state.Timestamped[A]) error {
				return a.emit(win, key, v, min(max(at, win.Start), win.End-1))
			})
			if err != nil {
				return err
			}
		}
		return nil
	}
	for _, change := range noted {
		number, key := int64(binary.BigEndian.Uint64([]byte(change[:8]))^1<<63), []byte(change[8:])
		win, ok := a.waiting(EventTime(number), merged)
		if !ok {
			continue
		}
		v, ok, err := a.store.Peek(number, key)
		if err != nil {
			return err
		}
		if ok {
			err = a.emit(win, key, v, min(max(at, win.Start), win.End-1))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// waiting returns the window with this number if its result is still to be sent. It is not asked for closed windows:
// they are gone.
func (a *Aggregation[A]) waiting(number, merged EventTime) (Window, bool) {
	if a.windows.emit == OnTime && merged >= grid.Plus(number, a.size) {
		return Window{}, false
	}
	return a.window(number), true
}
