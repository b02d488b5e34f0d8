package windowing

import (
	"slices"

	"github.com/millrace/millrace/schemaregistry/serde"
	"github.com/millrace/millrace/state"
	"github.com/millrace/millrace/windowing/internal/grid"
)

// SlidingAggregation keeps one value per sliding window in a key-value store, and decides what is late, what is due and
// what is sent on. Like Aggregation it holds no state of its own that is not in the store or follows from it, and
// belongs to the task's goroutine.
//
// What always holds:
//  1. What a window has to send was sent when it is closed, by the merged watermark or by the end of the input. A record
//     is never added to it after that.
//  2. A record is known as long as a window may come to exist that contains it, whether or not a window did when it
//     came.
//  3. No result sent on time is below Passed; while results are being sent, Passed is what it was before them.
type SlidingAggregation[A any] struct {
	windows SlidingWindows
	store   *state.KeyValueStore[[]byte, Slides[A]]
	add     func(acc *A, fresh bool) error
	emit    func(win Window, key []byte, v *A, at EventTime) error
	copy    func(v *A) (A, error)

	length, end, hold int64     // ms; a window's end is passed at start + end, and it closes at start + hold
	below             EventTime // windows that start below it were closed by a shorter grace of an earlier version
	course            course[*span[A]]
	dirty             func(key []byte, v *Slides[A], deleted bool) error
}

// NewSlidingAggregation returns the aggregation of a store that is open, restored, and used by nothing else; it reads
// through it once. Validate must accept w. An error is one of the store.
//
// add is called by Add, once for each window the record goes into, to change the value in place; fresh says that the
// window has no value yet and acc is the zero value. value is the codec of the store's values: one with pointers is
// copied through its bytes where a window starts out with the records of another. emit sends one value on: key is the
// encoded key, at the result's event time. key and v are valid during the call, v must not be changed and is never
// nil, and neither function may use the store or the aggregation, apart from Passed.
func NewSlidingAggregation[A any](w SlidingWindows, store *state.KeyValueStore[[]byte, Slides[A]], value serde.Codec[A],
	add func(acc *A, fresh bool) error, emit func(win Window, key []byte, v *A, at EventTime) error,
) (*SlidingAggregation[A], error) {
	a := &SlidingAggregation[A]{windows: w, store: store, add: add, emit: emit, copy: copier(value)}
	a.length = w.difference.Milliseconds()
	a.end = a.length + 1
	a.hold = a.end + w.GraceMillis()
	a.course.closer, a.course.passing = store, a.passable
	a.course.due = steps[*span[A]]{a.gather, a.send, a.settle}
	a.course.soon = steps[*span[A]]{a.gatherEarly, a.sendEarly, a.settleEarly}
	a.course.start(w.emit, w.early, restored(store.Closing()))
	a.below = bound(store.Closing())
	a.dirty = a.emitDirty
	for key, v := range store.All() {
		if len(v.spans) > 0 {
			a.course.plan.plan(key, a.next(&v, a.course.merged))
		}
	}
	return a, store.Err()
}

// Add adds the current record, of this encoded key and time, to every window it is in that is open. judged is the
// watermark of the channel the record came by, moved by the record itself; where the merged one has run ahead of it,
// that counts. late says that all windows it could be in were closed: nothing was changed. An error of the given
// functions is returned as it is, and what was done by then is for the caller to discard.
func (a *SlidingAggregation[A]) Add(key []byte, ts, judged EventTime) (late bool, err error) {
	judged = max(judged, a.course.merged)
	if judged >= grid.Plus(ts, a.hold) || ts < a.below {
		return true, nil
	}
	v, _, err := a.store.Slot(key)
	if err != nil {
		return false, err
	}
	a.forgetOnTime(v)
	own := a.first(ts)
	low := max(own, grid.Plus(judged, 1-a.hold), a.below) // windows that start below are closed
	from, to, err := a.open(v, low, ts+1, low == own)
	if err != nil {
		return false, err
	}
	for i := from; i < to; i++ {
		if err := a.addTo(&v.spans[i], ts); err != nil {
			return false, err
		}
	}
	if from <= 1 || a.course.mode == OnTime { // the first span is new, or has become shorter
		a.course.plan.plan(key, a.next(v, a.course.merged))
	}
	return false, a.changes(key, v, from)
}

// forgetOnTime takes the marks of what was sent on time, which nothing was written for.
func (a *SlidingAggregation[A]) forgetOnTime(v *Slides[A]) {
	for i := 0; i < len(v.spans) && a.wasOnTime(&v.spans[i]); i++ {
		v.spans[i].changed = false
	}
}

// wasOnTime reports whether the result on time of the window that starts with a span has been sent: the watermark has
// passed its end.
func (a *SlidingAggregation[A]) wasOnTime(s *span[A]) bool {
	return a.course.mode == OnTime && a.course.merged >= grid.Plus(s.start, a.end)
}

// changes sends the windows that the current record has changed, from a span on, or sees to it that they will be.
func (a *SlidingAggregation[A]) changes(key []byte, v *Slides[A], from int) error {
	if a.course.mode == OnUpdate {
		return a.emitUpdates(key, v, from)
	}
	for i := from; i < len(v.spans) && a.wasOnTime(&v.spans[i]); i++ {
		if err := a.emitChanged(key, &v.spans[i]); err != nil {
			return err
		}
	}
	if a.course.early.every > 0 {
		a.course.early.note(0, key)
	}
	return nil
}

// first is the start of the earliest window that ts is in.
func (a *SlidingAggregation[A]) first(ts EventTime) EventTime {
	first := max(grid.Plus(ts, -a.length), NoTime+1)
	if ts >= 0 {
		return max(first, 0)
	}
	return first
}

// open makes the spans [from, to) cover the starts [low, high) without a hole: spans that reach beyond are cut, and
// holes are filled with spans that have no record. window says that one starts at low; another starts at high, if
// there is anything to see.
func (a *SlidingAggregation[A]) open(v *Slides[A], low, high EventTime, window bool) (from, to int, err error) {
	if from, err = a.cut(v, low, window); err != nil {
		return 0, 0, err
	}
	if _, err = a.cut(v, high, true); err != nil {
		return 0, 0, err
	}
	window = window || from > 0 && v.spans[from-1].end == low
	to = from
	for at := low; at < high; to++ {
		end := high
		if to < len(v.spans) {
			end = min(v.spans[to].start, high)
		}
		if at < end {
			v.spans = slices.Insert(v.spans, to, span[A]{start: at, end: end, time: NoTime, window: window || at > low})
		}
		at = v.spans[to].end
	}
	return from, to, nil
}

// cut makes a span begin at a start that one reaches across, and returns the index of the first span from there on. If
// it begins there and window says so, it is a window from now on.
func (a *SlidingAggregation[A]) cut(v *Slides[A], at EventTime, window bool) (int, error) {
	i := len(v.spans)
	for i > 0 && v.spans[i-1].start >= at {
		i--
	}
	if i > 0 && v.spans[i-1].end > at {
		left := &v.spans[i-1]
		right := *left
		var err error
		if right.value, err = a.copy(&left.value); err != nil {
			return 0, err
		}
		left.end, right.start, right.window = at, at, false
		v.spans = slices.Insert(v.spans, i, right)
	}
	if i < len(v.spans) && v.spans[i].start == at && window && !v.spans[i].window {
		v.spans[i].window, v.spans[i].changed = true, true
	}
	return i, nil
}

func (a *SlidingAggregation[A]) addTo(s *span[A], ts EventTime) error {
	if err := a.add(&s.value, s.time == NoTime); err != nil {
		return err
	}
	s.time, s.changed = max(s.time, ts), true
	return nil
}

// emitUpdates sends the windows that the current record has changed, from a span on.
func (a *SlidingAggregation[A]) emitUpdates(key []byte, v *Slides[A], from int) error {
	for i := from; i < len(v.spans); i++ {
		if err := a.emitChanged(key, &v.spans[i]); err != nil {
			return err
		}
	}
	return nil
}

// emitChanged sends a value that has changed since it was sent, if it is that of an open window.
func (a *SlidingAggregation[A]) emitChanged(key []byte, s *span[A]) error {
	if !s.changed {
		return nil
	}
	s.changed = false
	if !s.window {
		return nil
	}
	win, at := a.windows.Window(s.start), s.time
	if a.course.mode == OnTime {
		at = win.End
	}
	return a.emit(win, key, &s.value, at)
}

// next is the watermark at which there is something to do for a key: its first window closes, the remains of one can be
// forgotten, or the end of a window is passed whose result on time is to be sent.
func (a *SlidingAggregation[A]) next(v *Slides[A], merged EventTime) EventTime {
	at := grid.Plus(v.spans[0].end, a.hold)
	if s := &v.spans[0]; s.window {
		at = grid.Plus(s.start, a.hold)
	}
	for i := 0; a.course.mode == OnTime && i < len(v.spans); i++ {
		if end := grid.Plus(v.spans[i].start, a.end); v.spans[i].window && end > merged {
			return min(at, end)
		}
	}
	return at
}

// Due is a merged watermark below which Advance has nothing to send; MaxTime if nothing is open.
func (a *SlidingAggregation[A]) Due() EventTime { return a.course.next() }

// Passed is the watermark that holds behind the operator: no result still to come that is on time is below it.
func (a *SlidingAggregation[A]) Passed() EventTime { return a.course.passed }

// passable is the watermark that may be passed on at a merged one. Finals carry the end of a window that is still open,
// so they are not below the watermark less grace, and early results carry a later watermark, or such an end. Updates carry the times of records, which may be as early as the
// start of the earliest open window.
func (a *SlidingAggregation[A]) passable(merged EventTime) EventTime {
	switch {
	case merged == NoTime || merged == MaxTime:
		return merged
	case a.course.mode == OnClose || a.course.mode == OnTime:
		return grid.Plus(merged, a.end-a.hold) // less the grace
	}
	return grid.Plus(merged, 1-a.hold)
}
