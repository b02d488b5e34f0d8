package windowing

import (
	"cmp"
	"slices"
)

// Advance tells the aggregation the merged watermark, after the records that moved it were added. Windows that it
// closes send what they still have to, earliest first and within one start in the order of the key bytes, and are
// forgotten: under OnClose each value once, at the window's end; under OnCommit what has changed since the last commit.
// MaxTime says that the input has ended and closes all. A watermark that is not higher than before does nothing.
func (a *SlidingAggregation[A]) Advance(merged EventTime) error {
	if merged <= a.merged {
		return nil
	}
	if merged >= a.plan.due() {
		if err := a.close(merged); err != nil {
			return err
		}
	}
	a.merged = merged
	if merged != MaxTime {
		a.store.SetClosing(int64(merged))
	}
	if a.windows.emit != OnCommit {
		a.passed = a.passing(merged)
	}
	return nil
}

// close sends and forgets what a watermark has closed.
func (a *SlidingAggregation[A]) close(merged EventTime) error {
	if err := a.closed(merged); err != nil {
		return err
	}
	slices.SortFunc(a.ending, func(x, y slideEnding[A]) int {
		return cmp.Or(cmp.Compare(x.span.start, y.span.start), cmp.Compare(x.key, y.key))
	})
	for _, e := range a.ending {
		a.key = append(a.key[:0], e.key...)
		if err := a.emitEnding(a.key, e.span); err != nil {
			return err
		}
	}
	clear(a.ending)
	for _, key := range a.visited {
		if err := a.forget(key, merged); err != nil {
			return err
		}
	}
	clear(a.visited)
	return nil
}

// closed finds the windows that are closed at a watermark.
func (a *SlidingAggregation[A]) closed(merged EventTime) error {
	a.ending, a.visited = a.ending[:0], a.visited[:0]
	for {
		key, ok := a.plan.next(merged)
		if !ok {
			return nil
		}
		a.key = append(a.key[:0], key...)
		v, ok, err := a.store.Peek(a.key)
		if err != nil {
			return err
		}
		if !ok || len(v.spans) == 0 {
			continue
		}
		for i := range v.spans {
			s := &v.spans[i]
			if s.window && merged >= plus(s.start, a.hold) {
				a.ending = append(a.ending, slideEnding[A]{key, s})
			}
		}
		a.visited = append(a.visited, key)
	}
}

// emitEnding sends what a window that is being closed still has to send.
func (a *SlidingAggregation[A]) emitEnding(key []byte, s *span[A]) error {
	switch a.windows.emit {
	case OnClose:
		win := a.windows.Window(s.start)
		return a.emit(win, key, &s.value, win.End)
	case OnCommit:
		return a.emitChanged(key, s)
	}
	return nil
}

// forget takes the windows that are closed out of the store. A span outlives the window it begins with for as long as
// a window may start inside it or at its end.
func (a *SlidingAggregation[A]) forget(key string, merged EventTime) error {
	a.key = append(a.key[:0], key...)
	v, _, err := a.store.Slot(a.key)
	if err != nil {
		return err
	}
	n := 0
	for i := range v.spans {
		s := &v.spans[i]
		if merged >= plus(s.start, a.hold) {
			s.window = false
		}
		if merged >= plus(s.end, a.hold) {
			n = i + 1
		}
	}
	if n == len(v.spans) {
		return a.store.Remove(a.key)
	}
	v.spans = slices.Delete(v.spans, 0, n)
	a.plan.put(key, a.next(v))
	return nil
}

// BeforeCommit ends the interval of a commit: under OnCommit it sends the values changed since the last one, by key in
// the order in which they first did, at the highest time of their records, and then passes the watermark of this
// moment. Under the other modes it does nothing. It is called once for each commit, after the last Advance and before
// the store is encoded.
func (a *SlidingAggregation[A]) BeforeCommit() error {
	if a.windows.emit != OnCommit {
		return nil
	}
	if err := a.store.EachDirty(a.dirty); err != nil {
		return err
	}
	a.passed = a.passing(a.merged)
	return nil
}

func (a *SlidingAggregation[A]) emitDirty(key []byte, v *Slides[A], deleted bool) error {
	if deleted {
		return nil
	}
	return a.emitUpdates(key, v, 0)
}
