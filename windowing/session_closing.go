package windowing

import (
	"slices"

	"github.com/millrace/millrace/windowing/internal/grid"
)

// Advance tells the aggregation the merged watermark, after the records that moved it were added. Results are sent by
// the last times of their sessions and then key bytes, each at its session's last time: under OnClose the value of each
// session that it closes; under OnTime that of each session whose end it has reached; under OnCommit what has changed
// since the last commit in sessions that it closes; then, if it is time, early results. Closed sessions are removed.
// MaxTime says that the input has ended and closes all. A lower watermark than before does nothing; nor does the same,
// unless something is due at it, as after a start with a shorter grace.
func (a *SessionAggregation[A]) Advance(merged EventTime) error { return a.course.advance(merged) }

// gather finds what a key has to send at a watermark.
func (a *SessionAggregation[A]) gather(key string, merged EventTime) (settle bool, err error) {
	v, ok, err := a.store.Peek(a.course.bytes(key))
	if err != nil || !ok {
		return false, err
	}
	for i := range v.open {
		s := &v.open[i]
		closed := merged >= grid.Plus(s.last, a.hold)
		switch {
		case a.course.mode == OnTime && a.course.reached(grid.Plus(s.last, a.end), merged),
			a.course.mode == OnClose && closed,
			a.course.mode == OnCommit && closed && s.changed:
			a.course.fire(key, s.last, outgoing[A]{s, v.sent})
		}
	}
	return true, nil
}

// send sends the value of a session, and before it tombstones for the parts of it that were sent. A tombstone that has
// waited for the value has the value's time, for that of its own window may have been passed.
func (a *SessionAggregation[A]) send(key []byte, out outgoing[A], _ EventTime) error {
	s := out.session
	for _, win := range out.sent {
		if !s.covers(win) {
			continue
		}
		at := s.last
		if a.course.mode == OnUpdate || a.course.mode == OnCommit {
			at = win.End
		}
		if err := a.emit(win, key, nil, at); err != nil {
			return err
		}
	}
	return a.emit(s.window(), key, &s.value, s.last)
}

// sendNow sends a value that does not wait.
func (a *SessionAggregation[A]) sendNow(key []byte, v *Sessions[A], s *session[A]) error {
	err := a.send(key, outgoing[A]{s, v.sent}, a.course.merged)
	v.told(s)
	return err
}

// settle removes the sessions of a key that were closed, and the windows that were revoked.
func (a *SessionAggregation[A]) settle(key string, merged EventTime) error {
	v, _, err := a.store.Peek(a.course.bytes(key))
	if err != nil {
		return err
	}
	closed, past := 0, NoTime // the last time of the sessions that are done with
	for i := range v.open {
		s := &v.open[i]
		if merged >= grid.Plus(s.last, a.hold) {
			closed, past = i+1, s.last
		} else if a.course.mode == OnTime && merged >= grid.Plus(s.last, a.end) {
			past = s.last
		}
	}
	revoked := func(win Window) bool { return win.End <= past }
	if closed > 0 || slices.ContainsFunc(v.sent, revoked) {
		if v, _, err = a.store.Slot(a.course.key); err != nil {
			return err
		}
		if closed == len(v.open) {
			return a.store.Remove(a.course.key)
		}
		v.sent = slices.DeleteFunc(v.sent, revoked)
		v.open = slices.Delete(v.open, 0, closed)
	}
	a.course.plan.put(key, a.next(v, merged))
	return nil
}

// gatherEarly finds what a key has to send before its result is due.
func (a *SessionAggregation[A]) gatherEarly(key string, merged EventTime) (settle bool, err error) {
	v, ok, err := a.store.Peek(a.course.bytes(key))
	if err != nil || !ok {
		return false, err
	}
	for i := range v.open {
		if s := &v.open[i]; a.hasEarly(s, merged) {
			a.course.fire(key, s.last, outgoing[A]{s, v.sent})
			settle = true
		}
	}
	return settle, nil
}

// hasEarly reports whether a session has something to send before its result is due.
func (a *SessionAggregation[A]) hasEarly(s *session[A], merged EventTime) bool {
	return s.changed && (a.course.mode != OnTime || merged < grid.Plus(s.last, a.end))
}

func (a *SessionAggregation[A]) settleEarly(key string, merged EventTime) error {
	v, _, err := a.store.Slot(a.course.bytes(key))
	if err != nil {
		return err
	}
	for i := range v.open {
		if s := &v.open[i]; a.hasEarly(s, merged) {
			v.told(s)
		}
	}
	return nil
}

// BeforeCommit ends the interval of a commit: under OnCommit it sends what has changed since the last one, by key in
// the order in which they first did, tombstones for windows that are part of larger ones by now before the values, and
// then passes the watermark of this moment. Under the other modes it does nothing. It is called once for each commit,
// after the last Advance and before the store is encoded.
func (a *SessionAggregation[A]) BeforeCommit() error {
	return a.course.commit(func() error { return a.store.EachDirty(a.dirty) })
}

func (a *SessionAggregation[A]) emitDirty(key []byte, v *Sessions[A], deleted bool) error {
	if deleted {
		return nil
	}
	for _, win := range v.sent {
		if err := a.emit(win, key, nil, win.End); err != nil {
			return err
		}
	}
	v.sent = v.sent[:0]
	for i := range v.open {
		s := &v.open[i]
		if !s.changed {
			continue
		}
		if err := a.emit(s.window(), key, &s.value, s.last); err != nil {
			return err
		}
		s.changed, s.known = false, true
	}
	return nil
}
