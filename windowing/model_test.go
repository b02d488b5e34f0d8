package windowing

import (
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"sort"
	"testing"
	"time"
)

// model is the naive reference of Aggregation: a map of everything, the definitions without bounds, no cleverness.
type model struct {
	size, advance, grace int64
	emit                 Emit
	values               map[cell]modelValue
	dirty                map[cell]bool
	gone                 map[int64]bool // windows closed by the end of an input
	merged               int64          // last finite
	rows                 []string
}

type cell struct {
	start int64
	key   string
}

type modelValue struct {
	text string
	time int64
}

func (m *model) clone() *model {
	c := *m
	c.values, c.dirty, c.gone, c.rows = maps.Clone(m.values), maps.Clone(m.dirty), maps.Clone(m.gone), nil
	return &c
}

func (m *model) row(c cell, v modelValue, at int64) {
	w := Hopping(time.Duration(m.size)*ms, time.Duration(m.advance)*ms).grid().window(EventTime(c.start))
	m.rows = append(m.rows, row{w, c.key, v.text, EventTime(at)}.String())
}

func (m *model) add(key, text string, ts, judged int64) (late bool) {
	late = true
	ts = max(ts, naiveStarts(1, m.advance, math.MinInt64)[0]) // a time before the first start counts as it
	for _, start := range naiveStarts(m.size, m.advance, ts) {
		if naiveClosed(m.size, m.grace, start, judged) || naiveClosed(m.size, m.grace, start, m.merged) || m.gone[start] {
			continue
		}
		late = false
		c := cell{start, key}
		v, ok := m.values[c]
		if !ok || ts > v.time {
			v.time = ts
		}
		v.text += text
		m.values[c], m.dirty[c] = v, true
		if m.emit == OnUpdate {
			m.row(c, v, v.time)
		}
	}
	return late
}

// advanceTo closes windows; a row of an updating mode is sent only if dirty.
func (m *model) advanceTo(merged int64) {
	if merged <= m.merged {
		return
	}
	for _, c := range m.cells() {
		if !naiveClosed(m.size, m.grace, c.start, merged) {
			continue
		}
		v := m.values[c]
		if m.emit == OnClose {
			end := Hopping(time.Duration(m.size)*ms, ms).grid().window(EventTime(c.start)).End
			if end == MaxTime {
				m.row(c, v, max(v.time, m.merged))
			} else {
				m.row(c, v, int64(end)-1)
			}
		} else if m.emit == OnCommit && m.dirty[c] {
			m.row(c, v, v.time)
		}
		if merged == math.MaxInt64 {
			m.gone[c.start] = true
		}
		delete(m.values, c)
		delete(m.dirty, c)
	}
	if merged != math.MaxInt64 {
		m.merged = merged
	}
}

func (m *model) commit() {
	for _, c := range m.cells() {
		if m.emit == OnCommit && m.dirty[c] {
			m.row(c, m.values[c], m.values[c].time)
		}
	}
	clear(m.dirty)
}

// cells are all cells by window, then key.
func (m *model) cells() []cell {
	all := slices.Collect(maps.Keys(m.values))
	sort.Slice(all, func(i, j int) bool {
		if all[i].start != all[j].start {
			return all[i].start < all[j].start
		}
		return all[i].key < all[j].key
	})
	return all
}

// history is a random run of both.
type history struct {
	*testing.T
	r         *rand.Rand
	rig       *rig
	model     *model
	committed *model
	rule      Watermarks
	channels  []Channel
	stored    []EventTime // watermarks of the last commit
	clock     int64
	log       string
}

// TestAggregationAgainstTheModel runs random records on several channels, commits, aborts, restarts and ends of
// input against the naive model, near zero, below it and at both ends of time.
func TestAggregationAgainstTheModel(t *testing.T) {
	for _, from := range []int64{0, 1767225600000, -150, math.MaxInt64 - 300, math.MinInt64 + 30} {
		for _, emit := range []Emit{OnClose, OnCommit, OnUpdate} {
			t.Run(fmt.Sprintf("%v from %d", emit, from), func(t *testing.T) {
				for seed := range uint64(40) {
					newHistory(t, seed, from, emit).run()
					if t.Failed() {
						return
					}
				}
			})
		}
	}
}

func newHistory(t *testing.T, seed uint64, from int64, emit Emit) *history {
	r := rand.New(rand.NewPCG(seed, uint64(from)))
	m := &model{size: 1 + r.Int64N(24), emit: emit, values: map[cell]modelValue{}, dirty: map[cell]bool{}, gone: map[int64]bool{}, merged: math.MinInt64}
	m.advance = 1 + r.Int64N(m.size)
	if r.IntN(2) == 0 {
		m.advance = m.size
	}
	m.grace = r.Int64N(2) * r.Int64N(20)
	w := Hopping(time.Duration(m.size)*ms, time.Duration(m.advance)*ms).Grace(time.Duration(m.grace) * ms).Emit(emit)
	h := &history{T: t, r: r, rig: newRig(t, w), model: m, committed: m.clone(), clock: from}
	h.rule = Bounded(time.Duration(r.Int64N(15)) * ms)
	for range 1 + r.IntN(3) {
		h.channels = append(h.channels, h.rule.Channel(NoTime))
		h.stored = append(h.stored, NoTime)
	}
	h.log = fmt.Sprintf("seed %d size %d advance %d grace %d channels %d bound %v", seed, m.size, m.advance, m.grace, len(h.channels), h.rule.bound)
	return h
}

func (h *history) run() {
	for i := range 250 {
		switch n := h.r.IntN(100); {
		case n < 88:
			h.record(i)
		case n < 95:
			h.commit()
		case n < 98:
			h.fallBack(h.rig.abort)
		default:
			h.fallBack(h.rig.restart)
		}
		if h.Failed() {
			return
		}
	}
	h.end()
}

func (h *history) record(i int) {
	h.clock = int64(plus(EventTime(h.clock), h.r.Int64N(4)))
	n := h.r.IntN(len(h.channels))
	ts := min(max(plus(EventTime(h.clock), h.r.Int64N(40)-30), NoTime+1), MaxTime-1)
	c := &h.channels[n]
	if !c.Observe(ts, MaxTime-1) {
		h.Fatalf("%s: %d is not believed", h.log, ts)
	}
	key, text := fmt.Sprint("k", h.r.IntN(3)), fmt.Sprintf("%d.", i)
	got, want := h.rig.add(key, text, ts, c.Watermark()), h.model.add(key, text, int64(ts), int64(c.Watermark()))
	if got != want {
		h.Fatalf("%s: record %d of time %d at watermark %d: late is %v, want %v", h.log, i, ts, c.Watermark(), got, want)
	}
	h.compare("record")
	h.advance(h.merged())
}

func (h *history) merged() EventTime {
	merged := MaxTime
	for i := range h.channels {
		merged = min(merged, h.channels[i].Watermark())
	}
	return merged
}

func (h *history) advance(merged EventTime) {
	due, before := h.rig.agg.Due(), len(h.rig.rows)
	h.rig.advance(merged)
	h.model.advanceTo(int64(merged))
	if merged < due && len(h.rig.rows) > before {
		h.Errorf("%s: due at %d, but sent %q at %d", h.log, due, h.rig.rows[before:], merged)
	}
	h.compare("advance")
}

func (h *history) commit() {
	h.rig.commit()
	h.model.commit()
	h.compare("commit")
	h.committed = h.model.clone()
	for i := range h.channels {
		h.stored[i] = h.channels[i].Watermark()
	}
}

// fallBack takes both back to the last commit; the records since are lost here, where a task would read them again.
func (h *history) fallBack(back func()) {
	back()
	h.model = h.committed.clone()
	for i := range h.channels {
		h.channels[i] = h.rule.Channel(h.stored[i])
	}
}

// end closes everything, and checks that nothing of it comes back.
func (h *history) end() {
	h.advance(MaxTime)
	h.commit()
	c, ok := h.rig.agg.store.Closing()
	infinite := c.Watermark == math.MaxInt64 || c.Below == math.MaxInt64 && !h.model.gone[math.MaxInt64-1]
	if ok && (infinite || c.Watermark != h.model.merged) {
		h.Errorf("%s: stored %+v, the last finite watermark is %d", h.log, c, h.model.merged)
	}
	if h.rig.agg.Passed() != MaxTime || h.rig.agg.Due() != MaxTime {
		h.Errorf("%s: at the end passed %d, due %d", h.log, h.rig.agg.Passed(), h.rig.agg.Due())
	}
	h.rig.restart()
	h.advance(MaxTime)
	h.commit()
	if starts := h.rig.agg.store.Starts(); len(starts) > 0 {
		h.Errorf("%s: windows %v are back", h.log, starts)
	}
}

// compare wants the same rows; at commits those of one window in any order.
func (h *history) compare(when string) {
	h.Helper()
	got, want := h.rig.rows, h.model.rows
	if h.model.emit == OnCommit {
		slices.Sort(got)
		slices.Sort(want)
	}
	if !slices.Equal(got, want) {
		h.Errorf("%s: at a %s sent %q, want %q", h.log, when, got, want)
	}
	h.rig.rows, h.model.rows = nil, nil
}
