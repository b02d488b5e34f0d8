package windowing

import "github.com/millrace/millrace/state"

// Aggregation keeps one value per key and window in a window store, and decides what is late, what is due and what is
// sent on. It holds no state of its own that is not in the store or follows from it: made anew over the same store,
// after an abort or a restart, it goes on where the last commit was. It belongs to the task's goroutine.
//
// What always holds:
//  1. A window is gone from the store if and only if it was closed by the merged watermark, or by the end of the
//     input; what it had to send was sent before, once.
//  2. A record is never added to a window that is gone.
//  3. No result sent on time is below Passed; while results are being sent, Passed is what it was before them.
//  4. MaxTime, the end of the input, is never stored: the closing keeps the last finite watermark, and the starts of
//     the windows that the end has closed.
type Aggregation[A any] struct {
	windows Windows
	store   *state.WindowStore[state.Timestamped[A]]
	add     func(acc *A, fresh bool) error
	emit    func(win Window, key []byte, v *state.Timestamped[A], at EventTime) error

	// The windows in plain numbers, for the hot path.
	size, step, hold int64     // ms; hold is size plus grace
	reach            int64     // ms from the last window of a time back to the first it can be in
	current          EventTime // Windows.Last of the record before
	lowest           EventTime // first start that is a time

	merged   EventTime // highest merged watermark seen
	passed   EventTime
	below    EventTime // windows that start below it were gone when a was made; of those gone since, merged tells
	earliest EventTime // start of the earliest window in the store, MaxTime if it is empty
	due      EventTime // watermark at which that window closes

	starts  []EventTime // scratch
	closing Window      // the window whose final values are being sent
	sent    EventTime   // dirty values of windows that start from it on are not to be sent yet
	final   func(key []byte, v *state.Timestamped[A]) error
	dirty   func(start int64, key []byte, v *state.Timestamped[A]) error
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
	a := &Aggregation[A]{windows: w, store: store, add: add, emit: emit}
	a.size, a.step = w.size.Milliseconds(), w.step()
	a.lowest = lowest(a.step)
	a.hold = a.size + w.GraceMillis()
	a.reach = (a.size - 1) / a.step * a.step
	a.final, a.dirty = a.emitFinal, a.emitDirty
	c, ok := store.Closing()
	a.merged, a.below = NoTime, NoTime
	if ok {
		a.merged, a.below = EventTime(c.Watermark), EventTime(c.Below)
	}
	a.passed = a.passing(a.merged)
	a.findEarliest()
	return a
}

// Add adds the current record, of this encoded key and time, to every window it is in that is open. judged is the
// watermark of the channel the record came by, moved by the record itself; where the merged one has run ahead of it,
// that counts. late says that all windows were closed: nothing was added. An error of add or emit is returned as it
// is, and what was done by then is for the caller to discard.
func (a *Aggregation[A]) Add(key []byte, ts, judged EventTime) (late bool, err error) {
	ts = max(ts, a.lowest)
	last := a.current
	if uint64(ts)-uint64(last) >= uint64(a.step) {
		last = a.windows.Last(ts)
		a.current = last
	}
	start := last
	if a.reach > 0 {
		start = a.first(ts, last)
	}
	judged = max(judged, a.merged)
	for late = true; ; start += EventTime(a.step) {
		if start >= a.below && judged < plus(start, a.hold) {
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

// first is Windows.First, without a division where time is well beyond 0.
func (a *Aggregation[A]) first(ts, last EventTime) EventTime {
	if int64(last) < a.reach {
		return a.windows.First(ts)
	}
	first := last - EventTime(a.reach)
	if int64(ts-first) >= a.size {
		first += EventTime(a.step)
	}
	return first
}

func (a *Aggregation[A]) addTo(start EventTime, key []byte, ts EventTime) error {
	v, existed, err := a.store.Slot(int64(start), key)
	if err != nil {
		return err
	}
	if err := a.add(&v.Value, !existed); err != nil {
		return err
	}
	if !existed || int64(ts) > v.Time {
		v.Time = int64(ts)
	}
	if start < a.earliest {
		a.earliest, a.due = start, plus(start, a.hold)
	}
	if a.windows.emit != OnUpdate {
		return nil
	}
	return a.emit(a.windows.Window(start), key, v, EventTime(v.Time))
}

// Due is the lowest merged watermark at which Advance has something to do; MaxTime if no window is open.
func (a *Aggregation[A]) Due() EventTime { return a.due }

// Passed is the watermark that holds behind the operator: no result still to come that is on time is below it.
func (a *Aggregation[A]) Passed() EventTime { return a.passed }

// passing is the watermark that may be passed on at a merged one. Finals carry the last instant of a window that is
// still open, so they are not below the watermark less grace. Updates carry the times of records, which may be as
// early as the start of the earliest open window.
func (a *Aggregation[A]) passing(merged EventTime) EventTime {
	switch {
	case merged == NoTime || merged == MaxTime:
		return merged
	case a.windows.emit == OnClose:
		return plus(merged, -a.windows.GraceMillis())
	}
	return a.windows.OpenFrom(merged)
}

func (a *Aggregation[A]) findEarliest() {
	a.earliest, a.due = MaxTime, MaxTime
	if starts := a.store.Starts(); len(starts) > 0 {
		a.earliest = EventTime(starts[0])
		a.due = plus(a.earliest, a.hold)
	}
}
