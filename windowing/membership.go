package windowing

// membership tells an aggregation which windows of a kind a time is in. It remembers the last answer, where windows do
// not overlap and are costly to find. It belongs to the task's goroutine.
type membership struct {
	kind     Kind
	disjoint bool     // each time is in one window, and that holds for all times in it
	foreign  bool     // the kind comes from outside and may be wrong
	last     []Window // windows of the time asked for last
	scratch  []Window
	closing  Window // answer to the last question for an ending; empty if there was none
}

// membership is that of the windows of a kind; nil for tumbling and hopping ones.
func (w Windows) membership() *membership {
	if w.kind == nil {
		return nil
	}
	m := &membership{kind: w.kinds()}
	_, m.disjoint = w.kind.(calendar)
	_, m.foreign = w.kind.(custom)
	return m
}

// of returns the windows that ts is in, earliest end first. They are valid until the next call.
func (m *membership) of(ts EventTime) ([]Window, error) {
	if m.disjoint && len(m.last) == 1 && m.last[0].Start <= ts && ts < m.last[0].End {
		return m.last, nil
	}
	m.last = m.kind.Of(m.last[:0], ts)
	if m.foreign {
		return m.last, checkOf(ts, m.last)
	}
	return m.last, nil
}

// ending returns the window with this last instant.
func (m *membership) ending(instant EventTime) Window {
	if m.closing.End != instant+1 || m.closing == (Window{}) {
		m.closing = ending(m.kind, m.scratch, instant)
	}
	return m.closing
}

// start is the earliest start of a window that ends after t, at most t.
func (m *membership) start(t EventTime) EventTime {
	if t == NoTime {
		return NoTime
	}
	m.scratch = m.kind.Of(m.scratch[:0], t)
	for _, win := range m.scratch {
		t = min(t, win.Start)
	}
	return t
}
