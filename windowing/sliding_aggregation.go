package windowing

import (
	"slices"

	"github.com/millrace/millrace/schemaregistry/serde"
	"github.com/millrace/millrace/state"
)

// SlidingAggregation keeps one value per sliding window in a key-value store, and decides what is late, what is due and
// what is sent on. Like Aggregation it holds no state of its own that is not in the store or follows from it, and
// belongs to the task's goroutine.
//
// What always holds:
//  1. A window sends its final value once, when it was closed by the merged watermark, or by the end of the input. A
//     record is never added to it after that.
//  2. A record is known as long as a window may come to exist that contains it, whether or not a window did when it
//     came.
//  3. No result sent on time is below Passed; while results are being sent, Passed is what it was before them.
type SlidingAggregation[A any] struct {
	windows SlidingWindows
	store   *state.KeyValueStore[[]byte, Slides[A]]
	add     func(acc *A, fresh bool) error
	emit    func(win Window, key []byte, v *A, at EventTime) error
	copy    func(v *A) (A, error)

	length, hold int64     // ms; a window closes at start + hold
	merged       EventTime // highest merged watermark seen
	passed       EventTime
	plan         schedule

	ending  []slideEnding[A] // scratch: windows that are being closed
	visited []string         // scratch: their keys
	key     []byte           // scratch
	dirty   func(key []byte, v *Slides[A], deleted bool) error
}

// slideEnding is a window that is being closed.
type slideEnding[A any] struct {
	key  string
	span *span[A]
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
	a.hold = a.length + w.GraceMillis() + 1
	a.merged = restored(store.Closing())
	a.passed = a.passing(a.merged)
	a.dirty = a.emitDirty
	for key, v := range store.All() {
		if len(v.spans) > 0 {
			a.plan.plan(key, a.next(&v))
		}
	}
	return a, store.Err()
}

// Add adds the current record, of this encoded key and time, to every window it is in that is open. judged is the
// watermark of the channel the record came by, moved by the record itself; where the merged one has run ahead of it,
// that counts. late says that all windows it could be in were closed: nothing was changed. An error of the given
// functions is returned as it is, and what was done by then is for the caller to discard.
func (a *SlidingAggregation[A]) Add(key []byte, ts, judged EventTime) (late bool, err error) {
	judged = max(judged, a.merged)
	if judged >= plus(ts, a.hold) {
		return true, nil
	}
	v, _, err := a.store.Slot(key)
	if err != nil {
		return false, err
	}
	own := a.first(ts)
	low := max(own, plus(judged, 1-a.hold)) // windows that start below are closed
	from, to, err := a.open(v, low, ts+1, low == own)
	if err != nil {
		return false, err
	}
	for i := from; i < to; i++ {
		if err := a.addTo(&v.spans[i], ts); err != nil {
			return false, err
		}
	}
	if from <= 1 { // the first span is new, or has become shorter
		a.plan.plan(key, a.next(v))
	}
	if a.windows.emit != OnUpdate {
		return false, nil
	}
	return false, a.emitUpdates(key, v, from)
}

// first is the start of the earliest window that ts is in.
func (a *SlidingAggregation[A]) first(ts EventTime) EventTime {
	first := max(plus(ts, -a.length), NoTime+1)
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
	return a.emit(a.windows.Window(s.start), key, &s.value, s.time)
}

// next is the watermark at which there is something to do for a key: its first window closes, or the remains of one
// can be forgotten.
func (a *SlidingAggregation[A]) next(v *Slides[A]) EventTime {
	if s := &v.spans[0]; s.window {
		return plus(s.start, a.hold)
	}
	return plus(v.spans[0].end, a.hold)
}

// Due is a merged watermark below which Advance has nothing to send; MaxTime if no window is open.
func (a *SlidingAggregation[A]) Due() EventTime { return a.plan.due() }

// Passed is the watermark that holds behind the operator: no result still to come that is on time is below it.
func (a *SlidingAggregation[A]) Passed() EventTime { return a.passed }

// passing is the watermark that may be passed on at a merged one. Finals carry the end of a window that is still open,
// so they are not below the watermark less grace. Updates carry the times of records, which may be as early as the
// start of the earliest open window.
func (a *SlidingAggregation[A]) passing(merged EventTime) EventTime {
	switch {
	case merged == NoTime || merged == MaxTime:
		return merged
	case a.windows.emit == OnClose:
		return plus(merged, -a.windows.GraceMillis())
	}
	return plus(merged, 1-a.hold)
}
