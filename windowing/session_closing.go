package windowing

import (
	"cmp"
	"slices"
)

// Advance tells the aggregation the merged watermark, after the records that moved it were added. Sessions that it
// closes send what they still have to, those due first before others, and are removed: under OnClose each value once, by
// due time and then key bytes, at the session's last time; under OnCommit what has changed since the last commit.
// MaxTime says that the input has ended and closes all. A watermark that is not higher than before does nothing.
func (a *SessionAggregation[A]) Advance(merged EventTime) error {
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

// close sends and removes what a watermark has closed.
func (a *SessionAggregation[A]) close(merged EventTime) error {
	if err := a.closed(merged); err != nil {
		return err
	}
	slices.SortFunc(a.ending, func(x, y farewell[A]) int {
		return cmp.Or(cmp.Compare(x.session.last, y.session.last), cmp.Compare(x.key, y.key))
	})
	for i := range a.ending {
		if err := a.emitEnding(&a.ending[i]); err != nil {
			return err
		}
	}
	clear(a.ending)
	for _, v := range a.visited {
		if err := a.remove(v); err != nil {
			return err
		}
	}
	clear(a.visited)
	return nil
}

// closed finds the sessions that are closed at a watermark. Keys whose sessions have been prolonged are planned anew.
func (a *SessionAggregation[A]) closed(merged EventTime) error {
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
		n := 0
		for ok && n < len(v.open) && merged >= plus(v.open[n].last, a.hold) {
			a.ending = append(a.ending, farewell[A]{key, &v.open[n], v.sent})
			n++
		}
		switch {
		case n > 0:
			a.visited = append(a.visited, visit{key, n})
		case ok && len(v.open) > 0:
			a.plan.put(key, plus(v.open[0].last, a.hold))
		}
	}
}

// emitEnding sends what a session that is being closed still has to send.
func (a *SessionAggregation[A]) emitEnding(e *farewell[A]) error {
	s := e.session
	if a.windows.emit == OnUpdate || a.windows.emit == OnCommit && !s.changed {
		return nil
	}
	a.key = append(a.key[:0], e.key...)
	for _, win := range e.sent {
		if win.Start >= s.first && win.End <= s.last {
			if err := a.emit(win, a.key, nil, win.End); err != nil {
				return err
			}
		}
	}
	return a.emit(s.window(), a.key, &s.value, s.last)
}

// remove takes the sessions that were closed out of the store.
func (a *SessionAggregation[A]) remove(k visit) error {
	a.key = append(a.key[:0], k.key...)
	v, _, err := a.store.Slot(a.key)
	if err != nil {
		return err
	}
	if k.count == len(v.open) {
		return a.store.Remove(a.key)
	}
	last := v.open[k.count-1].last
	v.sent = slices.DeleteFunc(v.sent, func(win Window) bool { return win.End <= last })
	v.open = slices.Delete(v.open, 0, k.count)
	a.plan.put(k.key, plus(v.open[0].last, a.hold))
	return nil
}

// BeforeCommit ends the interval of a commit: under OnCommit it sends what has changed since the last one, by key in
// the order in which they first did, tombstones for windows that are part of larger ones by now before the values, and
// then passes the watermark of this moment. Under the other modes it does nothing. It is called once for each commit,
// after the last Advance and before the store is encoded.
func (a *SessionAggregation[A]) BeforeCommit() error {
	if a.windows.emit != OnCommit {
		return nil
	}
	if err := a.store.EachDirty(a.dirty); err != nil {
		return err
	}
	a.passed = a.passing(a.merged)
	return nil
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
