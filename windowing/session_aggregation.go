package windowing

import (
	"slices"

	"github.com/millrace/millrace/state"
	"github.com/millrace/millrace/windowing/internal/grid"
)

// SessionAggregation keeps one value per session in a key-value store, and decides what is late, which sessions become
// one, what is due and what is sent on. Like Aggregation it holds no state of its own that is not in the store or
// follows from it, and belongs to the task's goroutine.
//
// What always holds:
//  1. A session is gone from the store if and only if it was closed by the merged watermark, or by the end of the
//     input; what it had to send was sent before, once. A record is never added to a session that is gone.
//  2. The sessions of one key in the store are more than the gap apart.
//  3. A window that was sent is, when its session is closed, either final or revoked by a tombstone, which comes right
//     before the next value of the session it is part of by then. Under OnClose alone there are no tombstones.
//  4. No result sent on time is below Passed; while results are being sent, Passed is what it was before them.
type SessionAggregation[A any] struct {
	windows SessionWindows
	store   *state.KeyValueStore[[]byte, Sessions[A]]
	add     func(acc *A, fresh bool) error
	merge   func(into, next *A, first bool) error
	emit    func(win Window, key []byte, v *A, at EventTime) error

	gap, end, hold int64     // ms; a session ends at last + end, and closes at last + hold
	below          EventTime // sessions whose last time is below it were closed by a shorter grace of an earlier version
	course         course[outgoing[A]]
	dirty          func(key []byte, v *Sessions[A], deleted bool) error
}

// outgoing is a session whose value is being sent.
type outgoing[A any] struct {
	session *session[A]
	sent    []Window // of its key, to be revoked
}

// NewSessionAggregation returns the aggregation of a store that is open, restored, and used by nothing else; it reads
// through it once. Validate must accept w. An error is one of the store.
//
// add is called by Add to take the record into the value of its session, in place; fresh says that the session has no
// value yet and acc is the zero value. merge is called before that, if the record makes several sessions one: for each
// of them, in the order of their times, to take its value into that of the new one; first says that into is still the
// zero value. emit sends one value on: key is the encoded key, at the result's event time, v is nil if the window was
// sent and is gone. key and v are valid during the call, v must not be changed, and no function may use the store or
// the aggregation, apart from Passed.
func NewSessionAggregation[A any](w SessionWindows, store *state.KeyValueStore[[]byte, Sessions[A]],
	add func(acc *A, fresh bool) error, merge func(into, next *A, first bool) error,
	emit func(win Window, key []byte, v *A, at EventTime) error,
) (*SessionAggregation[A], error) {
	a := &SessionAggregation[A]{windows: w, store: store, add: add, merge: merge, emit: emit}
	a.gap = w.gap.Milliseconds()
	a.end = a.gap + 1
	a.hold = a.end + w.GraceMillis()
	a.course.closer, a.course.passing = store, a.passable
	a.course.due = steps[outgoing[A]]{a.gather, a.send, a.settle}
	a.course.soon = steps[outgoing[A]]{a.gatherEarly, a.send, a.settleEarly}
	a.course.start(w.emit, w.early, restored(store.Closing()))
	a.below = bound(store.Closing())
	a.dirty = a.emitDirty
	for key, v := range store.All() {
		if len(v.open) > 0 {
			a.course.plan.plan(key, a.next(&v, a.course.merged))
		}
	}
	return a, store.Err()
}

// restored is the merged watermark of a closing, NoTime if there is none.
func restored(c state.Closing, ok bool) EventTime {
	if !ok {
		return NoTime
	}
	return EventTime(c.Watermark)
}

// bound is the bound of a closing, NoTime if there is none.
func bound(c state.Closing, ok bool) EventTime {
	if !ok {
		return NoTime
	}
	return EventTime(c.Below)
}

// Add adds the current record, of this encoded key and time, to the sessions within its reach, which become one, or
// starts a session. judged is the watermark of the channel the record came by, moved by the record itself; where the
// merged one has run ahead of it, that counts. late says that the session it would be in is closed: nothing was
// changed. An error of the given functions is returned as it is, and what was done by then is for the caller to
// discard.
func (a *SessionAggregation[A]) Add(key []byte, ts, judged EventTime) (late bool, err error) {
	judged = max(judged, a.course.merged)
	if judged >= grid.Plus(ts, a.hold) || ts < a.below {
		if late, err := a.late(key, ts, judged); late || err != nil {
			return late, err
		}
	}
	v, _, err := a.store.Slot(key)
	if err != nil {
		return false, err
	}
	from, to := v.reach(ts, a.gap)
	switch to - from {
	case 0:
		return false, a.begin(key, v, from, ts)
	case 1:
		return false, a.prolong(key, v, from, ts)
	}
	return false, a.join(key, v, from, to, ts)
}

// late judges a record that would be late on its own: a session in reach may hold the door open.
func (a *SessionAggregation[A]) late(key []byte, ts, judged EventTime) (bool, error) {
	v, ok, err := a.store.Peek(key)
	if err != nil || !ok {
		return true, err
	}
	from, to := v.reach(ts, a.gap)
	return from == to || judged >= grid.Plus(v.open[to-1].last, a.hold), nil
}

// begin makes a session of the record alone.
func (a *SessionAggregation[A]) begin(key []byte, v *Sessions[A], i int, ts EventTime) error {
	s := session[A]{first: ts, last: ts}
	if err := a.add(&s.value, true); err != nil {
		return err
	}
	v.open = slices.Insert(v.open, i, s)
	a.course.plan.plan(key, a.awaited(&s, a.course.merged))
	return a.update(key, v, i)
}

// prolong adds the record to the one session in its reach.
func (a *SessionAggregation[A]) prolong(key []byte, v *Sessions[A], i int, ts EventTime) error {
	s := &v.open[i]
	if ts < s.first || ts > s.last {
		again := a.wasOnTime(s)
		a.revoke(v, s)
		s.first, s.last = min(s.first, ts), max(s.last, ts)
		if again {
			a.course.plan.plan(key, a.awaited(s, a.course.merged))
		}
	}
	if err := a.add(&s.value, false); err != nil {
		return err
	}
	return a.update(key, v, i)
}

// join makes the sessions in reach of the record one, and adds it. The last of them ends where the new one does, so the
// key is planned already.
func (a *SessionAggregation[A]) join(key []byte, v *Sessions[A], from, to int, ts EventTime) error {
	joined := session[A]{first: min(v.open[from].first, ts), last: max(v.open[to-1].last, ts)}
	for i := from; i < to; i++ {
		s := &v.open[i]
		a.revoke(v, s)
		if err := a.merge(&joined.value, &s.value, i == from); err != nil {
			return err
		}
	}
	if err := a.add(&joined.value, false); err != nil {
		return err
	}
	v.open[from] = joined
	v.open = slices.Delete(v.open, from+1, to)
	return a.update(key, v, from)
}

// revoke notes that the bounds of a session that were sent are about to change: its next value is preceded by a
// tombstone for them.
func (a *SessionAggregation[A]) revoke(v *Sessions[A], s *session[A]) {
	if s.known || a.wasOnTime(s) {
		v.sent = append(v.sent, s.window())
	}
	s.known = false
}

// update marks or sends the new value of a session.
func (a *SessionAggregation[A]) update(key []byte, v *Sessions[A], i int) error {
	s := &v.open[i]
	s.changed = true
	if a.course.mode == OnUpdate || a.wasOnTime(s) {
		return a.sendNow(key, v, s)
	}
	if a.course.early.every > 0 {
		a.course.early.note(0, key)
	}
	return nil
}

// wasOnTime reports whether the result on time of a session has been sent: the watermark has reached its end.
func (a *SessionAggregation[A]) wasOnTime(s *session[A]) bool {
	return a.course.mode == OnTime && a.course.merged >= grid.Plus(s.last, a.end)
}

// awaited is the watermark at which there is something to do for a session: its result on time is due, or it closes.
func (a *SessionAggregation[A]) awaited(s *session[A], merged EventTime) EventTime {
	if end := grid.Plus(s.last, a.end); a.course.mode == OnTime && end > merged {
		return end
	}
	return grid.Plus(s.last, a.hold)
}

// next is the watermark at which there is something to do for a key.
func (a *SessionAggregation[A]) next(v *Sessions[A], merged EventTime) EventTime {
	at := grid.Plus(v.open[0].last, a.hold)
	for i := 0; a.course.mode == OnTime && i < len(v.open); i++ {
		at = min(at, a.awaited(&v.open[i], merged))
	}
	return at
}

// Due is a merged watermark below which Advance has nothing to send; MaxTime if nothing is open.
func (a *SessionAggregation[A]) Due() EventTime { return a.course.next() }

// Passed is the watermark that holds behind the operator: no result still to come that is on time is below it.
func (a *SessionAggregation[A]) Passed() EventTime { return a.course.passed }

// passable is the watermark that may be passed on at a merged one: every result, tombstones included, carries the last
// time of a session that was open, and that is not below the watermark less gap and grace.
func (a *SessionAggregation[A]) passable(merged EventTime) EventTime {
	if merged == NoTime || merged == MaxTime {
		return merged
	}
	return grid.Plus(merged, 1-a.hold)
}
