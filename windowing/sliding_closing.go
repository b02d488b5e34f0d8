package windowing

import (
	"slices"

	"github.com/millrace/millrace/windowing/internal/grid"
)

// Advance tells the aggregation the merged watermark, after the records that moved it were added. Results are sent by
// the starts of their windows and then key bytes: under OnClose the value of each window that it closes, and under
// OnTime that of each window whose end it has passed, at the window's end; under OnCommit what has changed since the
// last commit in windows that it closes; then, if it is time, early results. Closed windows are forgotten. MaxTime says
// that the input has ended and closes all. A lower watermark than before does nothing; nor does the same, unless something
// is due at it, as after a start with a shorter grace.
func (a *SlidingAggregation[A]) Advance(merged EventTime) error { return a.course.advance(merged) }

// gather finds what a key has to send at a watermark.
func (a *SlidingAggregation[A]) gather(key string, merged EventTime) (settle bool, err error) {
	v, ok, err := a.store.Peek(a.course.bytes(key))
	if err != nil || !ok {
		return false, err
	}
	for i := range v.spans {
		s := &v.spans[i]
		closed := merged >= grid.Plus(s.start, a.hold)
		switch {
		case !s.window:
		case a.course.mode == OnTime && a.course.reached(grid.Plus(s.start, a.end), merged),
			a.course.mode == OnClose && closed,
			a.course.mode == OnCommit && closed && s.changed:
			a.course.fire(key, s.start, s)
		}
	}
	return true, nil
}

// send sends a value that is due.
func (a *SlidingAggregation[A]) send(key []byte, s *span[A], _ EventTime) error {
	win := a.windows.Window(s.start)
	if a.course.mode == OnCommit {
		return a.emit(win, key, &s.value, s.time)
	}
	return a.emit(win, key, &s.value, win.End)
}

// settle takes the windows of a key that are closed out of the store. A span outlives the window it begins with for as
// long as a window may start inside it or at its end.
func (a *SlidingAggregation[A]) settle(key string, merged EventTime) error {
	v, _, err := a.store.Peek(a.course.bytes(key))
	if err != nil {
		return err
	}
	if next := a.next(v, merged); next > merged { // nothing is closed
		a.course.plan.put(key, next)
		return nil
	}
	if v, _, err = a.store.Slot(a.course.key); err != nil {
		return err
	}
	n := 0
	for i := range v.spans {
		s := &v.spans[i]
		if merged >= grid.Plus(s.start, a.hold) {
			s.window = false
		}
		if merged >= grid.Plus(s.end, a.hold) {
			n = i + 1
		}
	}
	if n == len(v.spans) {
		return a.store.Remove(a.course.key)
	}
	v.spans = slices.Delete(v.spans, 0, n)
	a.course.plan.put(key, a.next(v, merged))
	return nil
}

// gatherEarly finds what a key has to send before its result is due.
func (a *SlidingAggregation[A]) gatherEarly(key string, merged EventTime) (settle bool, err error) {
	v, ok, err := a.store.Peek(a.course.bytes(key))
	if err != nil || !ok {
		return false, err
	}
	for i := range v.spans {
		if s := &v.spans[i]; a.hasEarly(s, merged) {
			a.course.fire(key, s.start, s)
			settle = true
		}
	}
	return settle, nil
}

// sendEarly sends a value before it is due. It carries the time at which it is sent, but stays inside of its window.
func (a *SlidingAggregation[A]) sendEarly(key []byte, s *span[A], merged EventTime) error {
	win := a.windows.Window(s.start)
	return a.emit(win, key, &s.value, min(max(a.course.early.last(merged), win.Start), win.End))
}

// hasEarly reports whether the window that starts with a span has something to send before its result is due.
func (a *SlidingAggregation[A]) hasEarly(s *span[A], merged EventTime) bool {
	return s.window && s.changed && (a.course.mode != OnTime || merged < grid.Plus(s.start, a.end))
}

func (a *SlidingAggregation[A]) settleEarly(key string, merged EventTime) error {
	v, _, err := a.store.Slot(a.course.bytes(key))
	if err != nil {
		return err
	}
	for i := range v.spans {
		if s := &v.spans[i]; a.hasEarly(s, merged) {
			s.changed = false
		}
	}
	return nil
}

// BeforeCommit ends the interval of a commit: under OnCommit it sends the values changed since the last one, by key in
// the order in which they first did, at the highest time of their records, and then passes the watermark of this
// moment. Under the other modes it does nothing. It is called once for each commit, after the last Advance and before
// the store is encoded.
func (a *SlidingAggregation[A]) BeforeCommit() error {
	return a.course.commit(func() error { return a.store.EachDirty(a.dirty) })
}

func (a *SlidingAggregation[A]) emitDirty(key []byte, v *Slides[A], deleted bool) error {
	if deleted {
		return nil
	}
	return a.emitUpdates(key, v, 0)
}
