package windowing

import (
	"fmt"
	"maps"
	"math"
	"math/big"
	"math/rand/v2"
	"slices"
	"sort"
	"testing"
	"time"

	"github.com/millrace/millrace/windowing/internal/grid"
)

// model is the naive reference of Aggregation: a map of everything, the definitions without bounds, no cleverness.
type model struct {
	of      func(ts int64) []Window // earliest end first
	lowest  int64                   // times below it count as it
	grace   int64
	emit    Emit
	early   int64 // 0: none
	sorted  bool  // values are compared without their order
	values  map[cell]modelValue
	dirty   map[cell]bool
	changed map[cell]bool   // since the last early results
	gone    map[Window]bool // closed by the end of an input
	merged  int64           // last finite
	rows    []string
}

type cell struct {
	Window
	key string
}

type modelValue struct {
	text string
	time int64
}

func (m *model) clone() *model {
	c := *m
	c.values, c.dirty, c.gone, c.rows = maps.Clone(m.values), maps.Clone(m.dirty), maps.Clone(m.gone), nil
	c.changed = maps.Clone(m.changed)
	return &c
}

// closed is the predicate without bounds, but for the ends of time.
func (m *model) closed(win Window, watermark int64) bool {
	return naiveClosed(0, m.grace, int64(win.End), watermark)
}

func (m *model) row(c cell, v modelValue, at int64) {
	if m.sorted {
		v.text = sorted(v.text)
	}
	m.rows = append(m.rows, row{c.Window, c.key, v.text, EventTime(at)}.String())
}

// final is a row at the last instant of its window, if it has one.
func (m *model) final(c cell) {
	v := m.values[c]
	if c.End == MaxTime {
		m.row(c, v, max(v.time, m.merged))
		return
	}
	m.row(c, v, int64(c.End)-1)
}

func (m *model) add(key, text string, ts, judged int64) (late bool) {
	late = true
	ts = max(ts, m.lowest)
	for _, win := range m.of(ts) {
		if m.closed(win, judged) || m.closed(win, m.merged) || m.gone[win] {
			continue
		}
		late = false
		c := cell{win, key}
		v, ok := m.values[c]
		if !ok || ts > v.time {
			v.time = ts
		}
		v.text += text
		m.values[c], m.dirty[c], m.changed[c] = v, true, true
		if m.emit == OnUpdate {
			m.row(c, v, v.time)
		} else if m.emit == OnTime && int64(win.End) <= m.merged {
			m.final(c)
		}
	}
	return late
}

// advanceTo sends what is due and closes windows; a row of an updating mode is sent only if dirty.
func (m *model) advanceTo(merged int64) {
	if merged <= m.merged {
		return
	}
	for _, c := range m.cells() {
		closed, ended := m.closed(c.Window, merged), merged >= int64(c.End)
		switch {
		case m.emit == OnClose && closed, m.emit == OnTime && ended && m.merged < int64(c.End):
			m.final(c)
		case m.emit == OnCommit && closed && m.dirty[c]:
			m.row(c, m.values[c], m.values[c].time)
		}
		if closed {
			m.gone[c.Window] = m.gone[c.Window] || merged == math.MaxInt64
			m.forget(c)
		}
	}
	if merged == math.MaxInt64 {
		return
	}
	if m.early > 0 {
		m.sendEarly(merged)
	}
	m.merged = merged
}

func (m *model) sendEarly(merged int64) {
	tick := int64(grid.Plus(EventTime(merged), -new(big.Int).Mod(big.NewInt(merged), big.NewInt(m.early)).Int64()))
	if tick <= m.merged {
		return
	}
	for _, c := range m.cells() {
		if m.changed[c] && !(m.emit == OnTime && merged >= int64(c.End)) {
			m.row(c, m.values[c], min(max(tick, int64(c.Start)), int64(c.End)-1))
		}
	}
	clear(m.changed)
}

func (m *model) forget(c cell) {
	delete(m.values, c)
	delete(m.dirty, c)
	delete(m.changed, c)
}

func (m *model) commit() {
	for _, c := range m.cells() {
		if m.emit == OnCommit && m.dirty[c] {
			m.row(c, m.values[c], m.values[c].time)
		}
	}
	clear(m.dirty)
}

// restart forgets what is not stored: which values have changed since the last early results.
func (m *model) restart() {
	for c := range m.values {
		m.changed[c] = true
	}
}

// cells are all cells by window, then key.
func (m *model) cells() []cell {
	all := slices.Collect(maps.Keys(m.values))
	sort.Slice(all, func(i, j int) bool {
		a, b := all[i], all[j]
		if a.End != b.End || a.Start != b.Start {
			return a.End < b.End || a.End == b.End && a.Start < b.Start
		}
		return a.key < b.key
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
	for kind, make := range modelKinds {
		for _, emit := range []Emit{OnClose, OnCommit, OnUpdate, OnTime} {
			for _, from := range []int64{0, 1767225600000, -150, math.MaxInt64 - 300, math.MinInt64 + 30} {
				if !make.edges && (from < -150 || from > 1<<60) {
					continue
				}
				t.Run(fmt.Sprintf("%s %v from %d", kind, emit, from), func(t *testing.T) {
					for seed := range uint64(15) {
						newHistory(t, seed, from, emit, make.windows).run()
						if t.Failed() {
							return
						}
					}
				})
			}
		}
	}
}

func newHistory(t *testing.T, seed uint64, from int64, emit Emit, windows func(r *rand.Rand, m *model, from int64) Windows) *history {
	r := rand.New(rand.NewPCG(seed, uint64(from)))
	m := &model{emit: emit, lowest: math.MinInt64 + 1, merged: math.MinInt64, values: map[cell]modelValue{}, dirty: map[cell]bool{},
		changed: map[cell]bool{}, gone: map[Window]bool{}}
	w := windows(r, m, from).Emit(emit)
	m.grace = r.Int64N(2) * r.Int64N(20)
	w = w.Grace(time.Duration(m.grace) * ms)
	if (emit == OnClose || emit == OnTime) && r.IntN(2) == 0 && !m.sorted {
		m.early = 1 + r.Int64N(9)
		w = w.Early(time.Duration(m.early) * ms)
	}
	h := &history{T: t, r: r, rig: newRig(t, w), model: m, clock: from}
	if h.rig.panes = m.sorted; m.sorted {
		h.rig.build()
		h.rig.limit(r)
	}
	h.committed = m.clone()
	h.rule = Bounded(time.Duration(r.Int64N(15)) * ms)
	for range 1 + r.IntN(3) {
		h.channels = append(h.channels, h.rule.Channel(NoTime))
		h.stored = append(h.stored, NoTime)
	}
	h.log = fmt.Sprintf("seed %d windows %+v channels %d bound %v", seed, w, len(h.channels), h.rule.bound)
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
	h.clock = int64(grid.Plus(EventTime(h.clock), h.r.Int64N(4)))
	n := h.r.IntN(len(h.channels))
	ts := min(max(grid.Plus(EventTime(h.clock), h.r.Int64N(40)-30), NoTime+1), MaxTime-1)
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
	h.model.restart()
	for i := range h.channels {
		h.channels[i] = h.rule.Channel(h.stored[i])
	}
}

// end closes everything, and checks that nothing of it comes back.
func (h *history) end() {
	h.advance(MaxTime)
	h.commit()
	c, ok := h.rig.agg.store.Closing()
	infinite := c.Watermark == math.MaxInt64 || c.Below == math.MaxInt64 && !h.model.endless()
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
