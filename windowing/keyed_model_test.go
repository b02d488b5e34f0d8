package windowing

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"math/big"
	"math/rand/v2"
	"slices"
	"sort"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace/state"
)

// keyedModel is a naive reference: all records ever accepted, and the definitions, without bounds or cleverness.
type keyedModel interface {
	add(key, text string, ts, judged int64) (late bool)
	// advance returns what is final at a watermark and was not before.
	advance(merged int64) []finalRow
	// view is what a reader has who knows everything: final and not.
	view() map[string]string
	clone() keyedModel
}

type finalRow struct {
	last      int64
	key, text string
}

// past reports w >= t + hold, without overflow.
func past(w, t, hold int64) bool {
	return w == math.MaxInt64 || big.NewInt(w).Cmp(new(big.Int).Add(big.NewInt(t), big.NewInt(hold))) >= 0
}

// apart is the distance of two times.
func apart(a, b int64) *big.Int {
	return new(big.Int).Abs(new(big.Int).Sub(big.NewInt(a), big.NewInt(b)))
}

func sortFinals(rows []finalRow) []finalRow {
	sort.Slice(rows, func(i, j int) bool {
		if rows[i].last != rows[j].last {
			return rows[i].last < rows[j].last
		}
		return rows[i].key < rows[j].key
	})
	return rows
}

type modelSession struct {
	key, text   string
	first, last int64
	closed      bool
}

type sessionModel struct {
	gap, hold int64
	sessions  []modelSession
	merged    int64
	ended     bool
}

func (m *sessionModel) clone() keyedModel {
	c := *m
	c.sessions = slices.Clone(m.sessions)
	return &c
}

func (m *sessionModel) add(key, text string, ts, judged int64) bool {
	made := modelSession{key: key, first: ts, last: ts}
	var rest, joined []modelSession
	for _, s := range m.sessions {
		near := ts >= s.first && ts <= s.last || apart(ts, s.first).Cmp(big.NewInt(m.gap)) <= 0 || apart(ts, s.last).Cmp(big.NewInt(m.gap)) <= 0
		if s.closed || s.key != key || !near {
			rest = append(rest, s)
			continue
		}
		made.first, made.last = min(made.first, s.first), max(made.last, s.last)
		joined = append(joined, s)
	}
	if m.ended || past(max(judged, m.merged), made.last, m.hold) {
		return true
	}
	sort.Slice(joined, func(i, j int) bool { return joined[i].first < joined[j].first })
	for _, s := range joined {
		made.text += s.text
	}
	made.text += text
	m.sessions = append(rest, made)
	return false
}

func (m *sessionModel) advance(merged int64) []finalRow {
	if merged == math.MaxInt64 {
		m.ended = true
	} else {
		m.merged = max(m.merged, merged)
	}
	var finals []finalRow
	for i := range m.sessions {
		s := &m.sessions[i]
		if !s.closed && past(merged, s.last, m.hold) {
			s.closed = true
			finals = append(finals, finalRow{s.last, s.key, fmt.Sprintf("%s[%d,%d]=%s@%d", s.key, s.first, s.last, s.text, s.last)})
		}
	}
	return sortFinals(finals)
}

func (m *sessionModel) view() map[string]string {
	all := map[string]string{}
	for _, s := range m.sessions {
		all[fmt.Sprintf("%s[%d,%d]", s.key, s.first, s.last)] = fmt.Sprintf("%s@%d", s.text, s.last)
	}
	return all
}

type modelRecord struct {
	key, text  string
	ts, judged int64
}

// slidingModel computes each window from the records when it is asked for.
type slidingModel struct {
	length, hold int64
	records      []modelRecord
	sent         map[string]bool
	merged       int64
	ended        bool
}

func (m *slidingModel) clone() keyedModel {
	c := *m
	c.records, c.sent = slices.Clone(m.records), maps.Clone(m.sent)
	return &c
}

func (m *slidingModel) add(key, text string, ts, judged int64) bool {
	judged = max(judged, m.merged)
	if m.ended || past(judged, ts, m.hold) {
		return true
	}
	m.records = append(m.records, modelRecord{key, text, ts, judged})
	return false
}

// window is the value of a window: of the records in it for which it was open.
func (m *slidingModel) window(key string, start int64) (text string, time int64) {
	time = math.MinInt64
	for _, r := range m.records {
		in := r.key == key && r.ts >= start && apart(r.ts, start).Cmp(big.NewInt(m.length)) <= 0
		in = in && (start >= 0 || r.ts < 0) // no time from 0 on is in a window that starts below
		if in && !past(r.judged, start, m.hold) {
			text, time = text+r.text, max(time, r.ts)
		}
	}
	return text, time
}

// starts are the windows of the definition.
func (m *slidingModel) starts() map[string][]int64 {
	all := map[string][]int64{}
	for _, r := range m.records {
		own := max(r.ts-m.length, math.MinInt64+1)
		if r.ts < math.MinInt64+m.length {
			own = math.MinInt64 + 1
		}
		if r.ts >= 0 {
			own = max(own, 0)
		}
		if all[r.key] = append(all[r.key], r.ts+1); !past(r.judged, own, m.hold) {
			all[r.key] = append(all[r.key], own)
		}
	}
	return all
}

func (m *slidingModel) each(do func(key string, start int64, text string, time int64)) {
	for key, starts := range m.starts() {
		slices.Sort(starts)
		for _, start := range slices.Compact(starts) {
			if text, time := m.window(key, start); text != "" {
				do(key, start, text, time)
			}
		}
	}
}

func (m *slidingModel) place(key string, start int64) (string, int64) {
	end := int64(plus(EventTime(start), m.length))
	return fmt.Sprintf("%s[%d,%d]", key, start, end), end
}

func (m *slidingModel) advance(merged int64) (finals []finalRow) {
	if merged == math.MaxInt64 {
		m.ended = true
	} else {
		m.merged = max(m.merged, merged)
	}
	m.each(func(key string, start int64, text string, _ int64) {
		place, end := m.place(key, start)
		if past(merged, start, m.hold) && !m.sent[place] {
			m.sent[place] = true
			finals = append(finals, finalRow{start, key, fmt.Sprintf("%s=%s@%d", place, text, end)})
		}
	})
	return sortFinals(finals)
}

func (m *slidingModel) view() map[string]string {
	all := map[string]string{}
	m.each(func(key string, start int64, text string, time int64) {
		place, _ := m.place(key, start)
		all[place] = fmt.Sprintf("%s@%d", text, time)
	})
	return all
}

// keyedHistory is a random run of both.
type keyedHistory struct {
	*testing.T
	r          *rand.Rand
	rig        *keyedRig
	model      keyedModel
	committed  keyedModel
	seen       map[string]string // the reader's view at the last commit
	rule       Watermarks
	channels   []Channel
	stored     []EventTime
	clock      int64
	emit       Emit
	log        string
	rows, late int
}

// TestKeyedAggregationsAgainstTheModels runs random records on several channels, commits, aborts, restarts and ends of
// input against the naive models, near zero, below it and at both ends of time.
func TestKeyedAggregationsAgainstTheModels(t *testing.T) {
	for _, kind := range []string{"session", "sliding"} {
		for _, emit := range []Emit{OnClose, OnCommit, OnUpdate} {
			t.Run(fmt.Sprintf("%s %v", kind, emit), func(t *testing.T) {
				rows, late := 0, 0
				for _, from := range []int64{0, 1767225600000, -150, math.MaxInt64 - 300, math.MinInt64 + 60} {
					for seed := range uint64(12) {
						h := newKeyedHistory(t, kind, seed, from, emit, state.NewMemory())
						h.run()
						rows, late = rows+h.rows, late+h.late
						if t.Failed() {
							return
						}
					}
				}
				if rows < 1500 || late < 150 {
					t.Errorf("only %d rows were sent and %d records late", rows, late)
				}
			})
		}
	}
}

// TestKeyedAggregationsWithoutCache is the same on disk, with nothing kept in memory that is not dirty.
func TestKeyedAggregationsWithoutCache(t *testing.T) {
	for _, kind := range []string{"session", "sliding"} {
		for _, emit := range []Emit{OnClose, OnCommit, OnUpdate} {
			for seed := range uint64(2) {
				disk, err := state.OpenDisk(t.TempDir(), "app", state.DiskOptions{OverlayBytes: 1})
				if err != nil {
					t.Fatal(err)
				}
				h := newKeyedHistory(t, kind, 100+seed, 0, emit, disk)
				h.run()
				if err := errors.Join(h.rig.stores.Close(false), disk.Close()); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
}

func newKeyedHistory(t *testing.T, kind string, seed uint64, from int64, emit Emit, storage state.Storage) *keyedHistory {
	r := rand.New(rand.NewPCG(seed, uint64(from)))
	length, grace := 1+r.Int64N(16), r.Int64N(2)*r.Int64N(20)
	h := &keyedHistory{T: t, r: r, clock: from, emit: emit}
	span, late := time.Duration(length)*ms, time.Duration(grace)*ms
	if kind == "session" {
		h.model = &sessionModel{gap: length, hold: length + grace + 1, merged: math.MinInt64}
		h.rig = newKeyedRigOn(t, Session(span).Grace(late).Emit(emit), storage)
	} else {
		h.model = &slidingModel{length: length, hold: length + grace + 1, merged: math.MinInt64, sent: map[string]bool{}}
		h.rig = newKeyedRigOn(t, Sliding(span).Grace(late).Emit(emit), storage)
	}
	h.committed, h.seen = h.model.clone(), map[string]string{}
	h.rule = Bounded(time.Duration(r.Int64N(15)) * ms)
	for range 1 + r.IntN(3) {
		h.channels = append(h.channels, h.rule.Channel(NoTime))
		h.stored = append(h.stored, NoTime)
	}
	h.log = fmt.Sprintf("seed %d from %d length %d grace %d channels %d bound %v", seed, from, length, grace, len(h.channels), h.rule.bound)
	return h
}

func (h *keyedHistory) run() {
	for i := range 150 {
		switch n := h.r.IntN(100); {
		case n < 84:
			h.record(i)
		case n < 93:
			h.commit()
		case n < 97:
			h.fallBack(h.rig.abort)
		default:
			h.fallBack(h.rig.restart)
		}
		if h.Failed() {
			return
		}
	}
	h.advance(MaxTime)
	h.commit()
	h.rig.restart()
	before := len(h.rig.rows)
	h.advance(MaxTime)
	h.commit()
	if len(h.rig.rows) > before {
		h.Errorf("%s: after the end came %q", h.log, h.rig.rows[before:])
	}
	if h.rig.agg.Passed() != MaxTime || h.rig.agg.Due() != MaxTime {
		h.Errorf("%s: at the end passed %d, due %d", h.log, h.rig.agg.Passed(), h.rig.agg.Due())
	}
}

func (h *keyedHistory) record(i int) {
	h.clock = int64(plus(EventTime(h.clock), h.r.Int64N(6)))
	n := h.r.IntN(len(h.channels))
	ts := min(max(plus(EventTime(h.clock), h.r.Int64N(50)-40), NoTime+1), MaxTime-1)
	c := &h.channels[n]
	if !c.Observe(ts, MaxTime-1) {
		h.Fatalf("%s: %d is not believed", h.log, ts)
	}
	key, text := fmt.Sprint("k", h.r.IntN(3)), fmt.Sprintf("%d.", i)
	got, want := h.rig.add(key, text, ts, c.Watermark()), h.model.add(key, text, int64(ts), int64(c.Watermark()))
	if got != want {
		h.Fatalf("%s: record %d of time %d at watermark %d: late is %v, want %v", h.log, i, ts, c.Watermark(), got, want)
	}
	if got {
		h.late++
	}
	if h.emit == OnUpdate {
		h.compareViews("record")
	}
	merged := MaxTime
	for i := range h.channels {
		merged = min(merged, h.channels[i].Watermark())
	}
	h.advance(merged)
}

func (h *keyedHistory) advance(merged EventTime) {
	due, before := h.rig.agg.Due(), len(h.rig.rows)
	h.rig.advance(merged)
	sent := h.rig.rows[before:]
	if merged < due && len(sent) > 0 {
		h.Errorf("%s: due at %d, but sent %q at %d", h.log, due, sent, merged)
	}
	var finals []string
	for _, f := range h.model.advance(int64(merged)) {
		finals = append(finals, f.text)
	}
	if h.emit == OnClose && !slices.Equal(sent, finals) {
		h.Errorf("%s: at %d sent %q, want %q", h.log, merged, sent, finals)
	}
}

func (h *keyedHistory) commit() {
	h.rig.commit()
	if h.emit != OnClose {
		h.compareViews("commit")
	}
	h.committed, h.seen = h.model.clone(), maps.Clone(h.rig.view)
	for i := range h.channels {
		h.stored[i] = h.channels[i].Watermark()
	}
	h.rows += len(h.rig.rows)
	h.rig.rows = nil
}

// compareViews wants that a reader has what there is: every window that was closed or is open, and none that was but
// is no more.
func (h *keyedHistory) compareViews(when string) {
	h.Helper()
	if want := h.model.view(); !maps.Equal(h.rig.view, want) {
		both := maps.Clone(want)
		for place, v := range h.rig.view {
			if both[place] == v {
				delete(both, place)
				delete(h.rig.view, place)
			}
		}
		h.Errorf("%s: at a %s a reader has\n%s\nbut lacks\n%s", h.log, when, listed(h.rig.view), listed(both))
	}
}

func listed(view map[string]string) string {
	return strings.Join(slices.Sorted(func(yield func(string) bool) {
		for place, v := range view {
			if !yield(place + "=" + v) {
				return
			}
		}
	}), "\n")
}

// fallBack takes both back to the last commit; the records since are lost here, where a task would read them again.
func (h *keyedHistory) fallBack(back func()) {
	h.rig.rows = nil
	back()
	h.model, h.rig.view = h.committed.clone(), maps.Clone(h.seen)
	for i := range h.channels {
		h.channels[i] = h.rule.Channel(h.stored[i])
	}
}
