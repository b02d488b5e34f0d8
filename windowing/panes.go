package windowing

import (
	"errors"
	"fmt"
	"slices"

	"github.com/millrace/millrace/windowing/internal/grid"
)

// Combine says how values gathered apart are made one. Both functions are pure, and the result does not depend on the
// order in which values are combined.
type Combine[A any] struct {
	// Fresh makes the initial value that combining starts with. Where it is nil the first value is taken as it is; then
	// Values must change neither of its arguments.
	Fresh func() A
	// Values combines two: acc is fresh or was made by it, and may be changed and returned; other must neither be
	// changed nor kept.
	Values func(acc, other A) A
}

// start begins with one value.
func (c Combine[A]) start(v A) A {
	if c.Fresh == nil {
		return v
	}
	return c.Values(c.Fresh(), v)
}

// panes is how an aggregation keeps hopping windows that overlap: cut into panes as wide as what divides size and
// advance, so that each window is a row of whole panes and a record costs one update, whatever the overlap. A pane has
// the number of its start.
//
// What always holds:
//  1. A pane has the records for which every window they are in was open. So it changes only while none of its windows
//     has fired, and is the same for all of them.
//  2. A record for which only the later of its windows were open is added to each of these by itself, under the number
//     of its start plus one, which is no pane's.
//  3. Neither is needed once the window it starts in, or is of, has fired: dropping windows by their start drops both.
type panes[A any] struct {
	grid    timeGrid // of the panes
	rolling *rolling[A]
	fired   EventTime // windows that start below it have fired, with the grace of then; MaxTime if the merged watermark tells
	numbers []int64   // of the store, while windows fire
	starts  []int64   // those that are panes

	// The pane of the record before.
	pane, first, due EventTime
}

// paneMin is the narrowest pane, in ms: numbers between those of panes must be left.
const paneMin = 2

// Combines reports why values gathered apart are not combined for these windows, so that saying how has no effect. It
// is nil for hopping windows that overlap, with OnClose and no early results, whose size and advance are multiples of
// the same 2 ms or more. Validate must accept d.
func Combines(d Definition) error {
	w, ok := d.(Windows)
	switch {
	case !ok || w.kind != nil:
		return errors.New("only hopping windows are combined from panes")
	case w.advance >= w.size:
		return fmt.Errorf("windows of %v every %v do not overlap, so nothing is shared between them", w.size, w.advance)
	case w.emit != OnClose:
		return fmt.Errorf("windows are combined from panes as they close, and these are sent %v", w.emit)
	case w.early != 0:
		return errors.New("windows are combined from panes as they close, and these are sent before, by Early")
	}
	if width := divisor(w.size.Milliseconds(), w.advance.Milliseconds()); width < paneMin {
		return fmt.Errorf("size %v and advance %v have panes of %d ms, and the narrowest are %d ms", w.size, w.advance, width, paneMin)
	}
	return nil
}

// Combining makes the aggregation keep panes where Combines says that it is possible. Results and lateness are those
// of one value per window. It is called before anything else. A store keeps panes or windows, not both: whoever
// opens one that has windows leaves the call out, see KeepsWindows.
func (a *Aggregation[A]) Combining(c Combine[A]) {
	if Combines(a.windows) != nil {
		return
	}
	width := divisor(a.size, a.step)
	a.panes = &panes[A]{
		grid: timeGrid{Size: width, Step: width, Offset: grid.Remainder(a.grid.Offset, width)}, rolling: newRolling(a.store, a.grid, c),
		fired: MaxTime, pane: MaxTime, first: MaxTime, due: NoTime,
	}
	a.findPanesDue(a.merged)
}

// divisor is the greatest number that divides both.
func divisor(a, b int64) int64 {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// addPane is Add for panes.
func (a *Aggregation[A]) addPane(key []byte, ts, judged EventTime) (late bool, err error) {
	p := a.panes
	ts = max(ts, a.lowest)
	if uint64(ts)-uint64(p.pane) >= uint64(p.grid.Step) {
		p.pane, p.first = p.grid.Last(ts), a.grid.First(ts)
		p.due = a.grid.Due(p.first)
	}
	if judged < p.due && p.first >= a.below {
		return false, a.addToPane(p.pane, p.first, key, ts)
	}
	late = true
	for start, last := p.first, a.grid.Last(ts); ; start += EventTime(a.step) {
		if start >= a.below && judged < a.grid.Due(start) {
			late = false
			if err := a.addToPane(start+1, start, key, ts); err != nil {
				return false, err
			}
		}
		if start >= last {
			return late, nil
		}
	}
}

// addToPane is addTo for a pane, or a window by itself, of which this is the first window it is in.
func (a *Aggregation[A]) addToPane(number, first EventTime, key []byte, ts EventTime) error {
	v, existed, err := a.store.Slot(int64(number), key)
	if err != nil {
		return err
	}
	if err := a.add(&v.Value, !existed); err != nil {
		return err
	}
	if !existed || int64(ts) > v.Time {
		v.Time = int64(ts)
	}
	if first < a.earliest {
		a.earliest, a.due = first, a.grid.Due(first)
	}
	return nil
}

// alone reports whether a number is of a window by itself.
func (p *panes[A]) alone(number EventTime) bool { return p.grid.Beyond(number) == 1 }

// windowFrom is the earliest window that starts at from or later and has a value; MaxTime if there is none.
func (a *Aggregation[A]) windowFrom(numbers []int64, from EventTime) EventTime {
	found := MaxTime
	at, _ := slices.BinarySearch(numbers, int64(from))
	for _, n := range numbers[at:] {
		number := EventTime(n)
		first := max(a.grid.First(number), from)
		if first >= found {
			return found
		}
		if a.panes.alone(number) {
			first = number - 1
		}
		found = min(found, first)
	}
	return found
}

// findPanesDue is findDue for panes.
func (a *Aggregation[A]) findPanesDue(merged EventTime) {
	a.earliest, a.due = MaxTime, MaxTime
	if merged == MaxTime {
		return
	}
	if a.earliest = a.windowFrom(a.store.Starts(), max(min(a.grid.OpenFrom(merged), a.panes.fired), a.below)); a.earliest != MaxTime {
		a.due = a.grid.Due(a.earliest)
	}
}

// firePanes is fire for panes.
func (a *Aggregation[A]) firePanes(merged EventTime) error {
	below := a.grid.OpenFrom(merged)
	if merged == MaxTime {
		below = a.belowPanes()
	}
	numbers := append(a.panes.numbers[:0], a.store.Starts()...)
	a.panes.numbers, a.panes.starts = numbers, a.panes.starts[:0]
	for _, n := range numbers {
		if !a.panes.alone(EventTime(n)) {
			a.panes.starts = append(a.panes.starts, n)
		}
	}
	for start := a.earliest; start != MaxTime && merged >= a.grid.Due(start); {
		if err := a.emitWindow(start); err != nil {
			return err
		}
		if start > MaxTime-EventTime(a.step) {
			break
		}
		start = a.windowFrom(numbers, start+EventTime(a.step))
	}
	a.store.Drop(int64(below))
	a.panes.fired = MaxTime
	a.findPanesDue(merged)
	return nil
}

// belowPanes is the bound behind the last window with a value, which stays finite.
func (a *Aggregation[A]) belowPanes() EventTime {
	numbers := a.store.Starts()
	if len(numbers) == 0 {
		return a.below
	}
	last := EventTime(numbers[len(numbers)-1])
	return max(last+1, min(grid.Plus(a.grid.Last(last), a.step), MaxTime-1))
}

// emitWindow sends the values of one window, in the order of the key bytes.
func (a *Aggregation[A]) emitWindow(start EventTime) error {
	win, r := Window{Start: start, End: a.grid.End(start)}, a.panes.rolling
	to := win.End
	if zero := EventTime(a.grid.Offset); start < zero {
		to = min(to, zero) // times from there on are in no window that starts before
	}
	if err := r.move(a.panes.starts, win.Start, to); err != nil {
		return err
	}
	if _, ok := slices.BinarySearch(a.panes.numbers, int64(start+1)); ok {
		if err := r.alone(int64(start + 1)); err != nil {
			return err
		}
	}
	a.closing = win
	return r.each(start, a.final)
}
