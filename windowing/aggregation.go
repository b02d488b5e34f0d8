package windowing

import (
	"github.com/millrace/millrace/state"
	"github.com/millrace/millrace/windowing/internal/grid"
)

// Aggregation keeps one value per key and window in a window store, and decides what is late, what is due and what is
// sent on. It holds no state of its own that is not in the store or follows from it: made anew over the same store,
// after an abort or a restart, it goes on where the last commit was. It belongs to the task's goroutine.
//
// The store knows a window by a number: its start, or, where windows are not all of one size, its last instant. Windows
// close in the order of their numbers.
//
// What always holds:
//  1. A window is gone from the store if and only if it was closed by the merged watermark, or by the end of the
//     input; what it had to send was sent before, once.
//  2. A record is never added to a window that is gone.
//  3. No result sent on time is below Passed; while results are being sent, Passed is what it was before them.
//  4. MaxTime, the end of the input, is never stored as a watermark: the closing keeps the last finite one, and the
//     numbers of the windows that the end has closed.
type Aggregation[A any] struct {
	windows Windows
	store   *state.WindowStore[state.Timestamped[A]]
	add     func(acc *A, fresh bool) error
	emit    func(win Window, key []byte, v *state.Timestamped[A], at EventTime) error

	// The windows in plain numbers, for the hot path.
	grid             timeGrid
	size, step, hold int64     // ms; hold is size plus grace
	reach            int64     // ms from the last window of a time back to the first it can be in
	whole            EventTime // a last window from here on has reach before it
	current          EventTime // grid.Last of the record before
	lowest           EventTime // first start that is a time
	eager            bool      // a change may have to be sent before the window closes

	kind  *membership // of windows that are not all of one size; nil for others
	panes *panes[A]   // nil where the store has one value per window

	merged   EventTime // highest merged watermark seen
	passed   EventTime
	below    EventTime // windows with numbers below it were gone when a was made; of those gone since, merged tells
	earliest EventTime // number of the earliest window in the store, MaxTime if it is empty
	due      EventTime // watermark at which something is to be done

	early changes // since the last early results

	starts  []EventTime // scratch
	closing Window      // the window whose values are being sent
	sent    EventTime   // dirty values of windows with numbers from it on are not to be sent yet
	final   func(key []byte, v *state.Timestamped[A]) error
	dirty   func(number int64, key []byte, v *state.Timestamped[A]) error
}

// NewAggregation returns the aggregation of a store that is open, restored, and used by nothing else. Validate must
// accept w.
//
// add is called by Add, once for each window the record goes into, to change the value in place; fresh says that the
// window has no value yet and acc is the zero value. emit sends one value on: key is the encoded key, at the result's
// event time. key and v are valid during the call, v must not be changed, and neither function may use the store or
// the aggregation, apart from Passed.
func NewAggregation[A any](w Windows, store *state.WindowStore[state.Timestamped[A]], add func(acc *A, fresh bool) error,
	emit func(win Window, key []byte, v *state.Timestamped[A], at EventTime) error,
) *Aggregation[A] {
	a := &Aggregation[A]{windows: w, store: store, add: add, emit: emit, grid: w.grid(), kind: w.membership()}
	a.size, a.step, a.lowest = a.grid.Size, a.grid.Step, a.grid.Lowest()
	a.current = a.lowest // a start, which 0 need not be
	a.hold = a.size + a.grid.Grace
	a.reach = (a.size - 1) / a.step * a.step
	a.whole = grid.Plus(EventTime(a.grid.Offset), a.reach)
	a.eager = w.emit == OnUpdate || w.emit == OnTime || w.early != 0
	a.final, a.dirty = a.emitFinal, a.emitDirty
	c, ok := store.Closing()
	a.merged, a.below, a.passed = NoTime, NoTime, NoTime
	if ok {
		a.merged, a.below = EventTime(c.Watermark), EventTime(c.Below)
	}
	a.passed = a.passing(a.merged)
	a.early.restart(w.early.Milliseconds(), a.merged)
	a.findDue(a.merged)
	return a
}

// Add adds the current record, of this encoded key and time, to every window it is in that is open. judged is the
// watermark of the channel the record came by, moved by the record itself; where the merged one has run ahead of it,
// that counts. late says that there was no open window: nothing was added. An error of add or emit is returned as it
// is, and what was done by then is for the caller to discard.
func (a *Aggregation[A]) Add(key []byte, ts, judged EventTime) (late bool, err error) {
	judged = max(judged, a.merged)
	switch {
	case a.panes != nil:
		return a.addPane(key, ts, judged)
	case a.kind != nil:
		return a.addKind(key, ts, judged)
	}
	ts = max(ts, a.lowest)
	last := a.current
	if uint64(ts)-uint64(last) >= uint64(a.step) {
		last = a.grid.Last(ts)
		a.current = last
	}
	start := last
	if a.reach > 0 {
		start = a.first(ts, last)
	}
	for late = true; ; start += EventTime(a.step) {
		if start >= a.below && judged < grid.Plus(start, a.hold) {
			late = false
			if err := a.addTo(start, key, ts); err != nil {
				return false, err
			}
		}
		if start >= last {
			return late, nil
		}
	}
}

// first is grid.First, without a division where time is well beyond the offset.
func (a *Aggregation[A]) first(ts, last EventTime) EventTime {
	if last < a.whole {
		return a.grid.First(ts)
	}
	first := last - EventTime(a.reach)
	if int64(ts-first) >= a.size {
		first += EventTime(a.step)
	}
	return first
}

func (a *Aggregation[A]) addTo(number EventTime, key []byte, ts EventTime) error {
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
	if number < a.earliest {
		a.earliest = number
		a.due = min(a.due, grid.Plus(number, a.hold))
	}
	if !a.eager {
		return nil
	}
	return a.changed(number, key, v)
}

// addKind is Add for windows that are not all of one size.
func (a *Aggregation[A]) addKind(key []byte, ts, judged EventTime) (late bool, err error) {
	all, err := a.kind.of(ts)
	if err != nil {
		return false, err
	}
	late = true
	for _, win := range all {
		if number := win.End - 1; number >= a.below && judged < grid.Plus(number, a.hold) {
			late = false
			if err := a.addTo(number, key, ts); err != nil {
				return false, err
			}
		}
	}
	return late, nil
}

// changed does what a change asks for before its window closes.
func (a *Aggregation[A]) changed(number EventTime, key []byte, v *state.Timestamped[A]) error {
	end := grid.Plus(number, a.size)
	switch {
	case a.windows.emit == OnUpdate:
		return a.emit(a.window(number), key, v, EventTime(v.Time))
	case a.windows.emit == OnTime && end <= a.merged:
		return a.emit(a.window(number), key, v, end-1)
	case a.windows.emit == OnTime:
		a.due = min(a.due, end)
	}
	if a.early.every > 0 {
		a.early.note(number, key)
		a.due = min(a.due, a.early.next)
	}
	return nil
}

// window is the window with this number.
func (a *Aggregation[A]) window(number EventTime) Window {
	if a.kind != nil {
		return a.kind.ending(number)
	}
	return Window{Start: number, End: a.grid.End(number)}
}

// Due is the lowest merged watermark at which Advance has something to do; MaxTime if there is none below it.
func (a *Aggregation[A]) Due() EventTime { return a.due }

// Passed is the watermark that holds behind the operator: no result still to come that is on time is below it.
func (a *Aggregation[A]) Passed() EventTime { return a.passed }

// passing is the watermark that may be passed on at a merged one. Finals carry the last instant of a window that is
// still open, so they are not below the watermark less grace, and early results carry a later watermark. Updates carry
// the times of records, which may be as early as the start of the earliest open window.
func (a *Aggregation[A]) passing(merged EventTime) EventTime {
	if merged == NoTime || merged == MaxTime {
		return merged
	}
	if open := grid.Plus(merged, -a.grid.Grace); a.windows.emit == OnClose || a.windows.emit == OnTime {
		return open
	} else if a.kind != nil {
		return max(a.passed, a.kind.start(open))
	}
	return a.grid.OpenFrom(merged)
}

// findDue finds the earliest window in the store, and when something is to be done, at a merged watermark.
func (a *Aggregation[A]) findDue(merged EventTime) {
	a.earliest, a.due = MaxTime, MaxTime
	starts := a.store.Starts()
	if len(starts) > 0 {
		a.earliest = EventTime(starts[0])
		a.due = grid.Plus(a.earliest, a.hold)
	}
	if a.windows.emit == OnTime {
		for _, s := range starts {
			if end := grid.Plus(EventTime(s), a.size); end > merged {
				a.due = min(a.due, end)
				break
			}
		}
	}
	if len(starts) > 0 && a.early.any() {
		a.due = min(a.due, a.early.next)
	}
}
