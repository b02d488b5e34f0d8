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
	"github.com/millrace/millrace/windowing/internal/grid"
)

// keyedModel is a naive reference: all records ever accepted, and the definitions, without bounds or cleverness.
type keyedModel interface {
	// add says whether a record is late, and what is sent at once if results are sent on time.
	add(key, text string, ts, judged int64) (late bool, now []string)
	// advance returns what is to be sent at a watermark: finals, results on time, early ones.
	advance(merged int64) []string
	// view is what a reader has who knows everything: final and not.
	view() map[string]string
	clone() keyedModel
}

// sending is when results are sent.
type sending struct {
	emit  Emit
	early int64
}

// earlyDue reports whether a watermark has come to another multiple.
func (s sending) earlyDue(before, merged int64) bool {
	multiple := func(t int64) int64 {
		if t%s.early < 0 {
			return t/s.early - 1
		}
		return t / s.early
	}
	return s.early > 0 && merged > before && merged != math.MaxInt64 && multiple(merged) > multiple(before)
}

// windows applies it.
func (s sending) sessions(w SessionWindows) SessionWindows {
	if w = w.Emit(s.emit); s.early > 0 {
		return w.Early(time.Duration(s.early) * ms)
	}
	return w
}

func (s sending) sliding(w SlidingWindows) SlidingWindows {
	if w = w.Emit(s.emit); s.early > 0 {
		return w.Early(time.Duration(s.early) * ms)
	}
	return w
}

func (s sending) String() string {
	if s.early == 0 {
		return s.emit.String()
	}
	return s.emit.String() + " and early"
}

// sendings are all there are; those with early results have any distance.
var sendings = []sending{{emit: OnClose}, {emit: OnCommit}, {emit: OnUpdate}, {emit: OnTime}, {OnClose, -1}, {OnTime, -1}}

func (s sending) draw(r *rand.Rand) sending {
	if s.early != 0 {
		s.early = 1 + r.Int64N(12)
	}
	return s
}

type dueRow struct {
	order int64
	key   string
	texts []string
}

// past reports w >= t + hold, without overflow.
func past(w, t, hold int64) bool {
	return w == math.MaxInt64 || big.NewInt(w).Cmp(new(big.Int).Add(big.NewInt(t), big.NewInt(hold))) >= 0
}

// apart is the distance of two times.
func apart(a, b int64) *big.Int {
	return new(big.Int).Abs(new(big.Int).Sub(big.NewInt(a), big.NewInt(b)))
}

func inOrder(due []dueRow) (texts []string) {
	sort.Slice(due, func(i, j int) bool {
		if due[i].order != due[j].order {
			return due[i].order < due[j].order
		}
		return due[i].key < due[j].key
	})
	for _, row := range due {
		texts = append(texts, row.texts...)
	}
	return texts
}

type modelSession struct {
	key, text   string
	first, last int64
	closed      bool
	fresh       bool     // changed since it was sent
	shown       []string // places that a reader has of it
}

func (s *modelSession) place() string { return fmt.Sprintf("%s[%d,%d]", s.key, s.first, s.last) }

// show sends the session.
func (s *modelSession) show() (rows []string) {
	for _, place := range s.shown {
		if place != s.place() {
			rows = append(rows, fmt.Sprintf("%s gone@%d", place, s.last))
		}
	}
	sort.Strings(rows)
	s.shown, s.fresh = []string{s.place()}, false
	return append(rows, fmt.Sprintf("%s=%s@%d", s.place(), s.text, s.last))
}

type sessionModel struct {
	gap, hold int64
	sessions  []modelSession
	merged    int64
	ended     bool
	sending
}

func (m *sessionModel) clone() keyedModel {
	c := *m
	c.sessions = slices.Clone(m.sessions)
	return &c
}

func (m *sessionModel) add(key, text string, ts, judged int64) (late bool, now []string) {
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
		return true, nil
	}
	sort.Slice(joined, func(i, j int) bool { return joined[i].first < joined[j].first })
	for _, s := range joined {
		made.text += s.text
		made.shown = append(made.shown, s.shown...)
	}
	made.text += text
	made.fresh = true
	if m.emit == OnTime && past(m.merged, made.last, m.gap+1) {
		now = made.show()
	}
	m.sessions = append(rest, made)
	return false, now
}

func (m *sessionModel) advance(merged int64) []string {
	before := m.merged
	m.ended = m.ended || merged == math.MaxInt64
	if !m.ended {
		m.merged = max(m.merged, merged)
	}
	var due []dueRow
	for i := range m.sessions {
		s := &m.sessions[i]
		if s.closed {
			continue
		}
		s.closed = past(merged, s.last, m.hold)
		onTime := m.emit == OnTime && past(merged, s.last, m.gap+1)
		switch {
		case m.emit == OnClose && s.closed,
			onTime && !past(before, s.last, m.gap+1),
			!onTime && s.fresh && m.earlyDue(before, merged):
			due = append(due, dueRow{s.last, s.key, s.show()})
		}
	}
	return inOrder(due)
}

func (m *sessionModel) view() map[string]string {
	all := map[string]string{}
	for _, s := range m.sessions {
		all[s.place()] = fmt.Sprintf("%s@%d", s.text, s.last)
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
	sent         map[string]bool   // finals
	shown        map[string]string // what a reader has of each window
	merged       int64
	ended        bool
	sending
}

func (m *slidingModel) clone() keyedModel {
	c := *m
	c.records, c.sent, c.shown = slices.Clone(m.records), maps.Clone(m.sent), maps.Clone(m.shown)
	return &c
}

func (m *slidingModel) add(key, text string, ts, judged int64) (late bool, now []string) {
	judged = max(judged, m.merged)
	if m.ended || past(judged, ts, m.hold) {
		return true, nil
	}
	m.records = append(m.records, modelRecord{key, text, ts, judged})
	var due []dueRow
	m.each(func(key string, start int64, text string, _ int64) {
		place, end := m.place(key, start)
		if m.emit == OnTime && past(m.merged, start, m.length+1) && m.shown[place] != text {
			due = append(due, m.show(key, start, text, end))
		}
	})
	return false, inOrder(due)
}

func (m *slidingModel) show(key string, start int64, text string, at int64) dueRow {
	place, _ := m.place(key, start)
	m.shown[place] = text
	return dueRow{start, key, []string{fmt.Sprintf("%s=%s@%d", place, text, at)}}
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
	end := int64(grid.Plus(EventTime(start), m.length))
	return fmt.Sprintf("%s[%d,%d]", key, start, end), end
}

func (m *slidingModel) advance(merged int64) []string {
	before := m.merged
	if m.ended {
		before = math.MaxInt64
	}
	m.ended = m.ended || merged == math.MaxInt64
	if !m.ended {
		m.merged = max(m.merged, merged)
	}
	if m.emit == OnCommit || m.emit == OnUpdate {
		return nil // the view is what counts
	}
	var due []dueRow
	m.each(func(key string, start int64, text string, _ int64) {
		place, end := m.place(key, start)
		closed := past(merged, start, m.hold)
		onTime := m.emit == OnTime && past(merged, start, m.length+1)
		switch {
		case m.emit == OnClose && closed:
			if !m.sent[place] {
				due = append(due, m.show(key, start, text, end))
			}
		case onTime:
			if !past(before, start, m.length+1) {
				due = append(due, m.show(key, start, text, end))
			}
		case m.shown[place] != text && m.earlyDue(before, merged):
			due = append(due, m.show(key, start, text, min(max(merged-grid.Remainder(merged, m.early), start), end)))
		}
		m.sent[place] = m.sent[place] || closed
	})
	return inOrder(due)
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
	r         *rand.Rand
	rig       *keyedRig
	model     keyedModel
	committed keyedModel
	seen      map[string]string // the reader's view at the last commit
	rule      Watermarks
	channels  []Channel
	stored    []EventTime
	clock     int64
	sending
	log        string
	rows, late int
}

// TestKeyedAggregationsAgainstTheModels runs random records on several channels, commits, aborts, restarts and ends of
// input against the naive models, near zero, below it and at both ends of time.
func TestKeyedAggregationsAgainstTheModels(t *testing.T) {
	for _, kind := range []string{"session", "sliding"} {
		for _, emit := range sendings {
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
		for _, emit := range sendings {
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

func newKeyedHistory(t *testing.T, kind string, seed uint64, from int64, emit sending, storage state.Storage) *keyedHistory {
	r := rand.New(rand.NewPCG(seed, uint64(from)))
	length, grace := 1+r.Int64N(16), r.Int64N(2)*r.Int64N(20)
	emit = emit.draw(r)
	h := &keyedHistory{T: t, r: r, clock: from, sending: emit}
	span, late := time.Duration(length)*ms, time.Duration(grace)*ms
	if kind == "session" {
		h.model = &sessionModel{gap: length, hold: length + grace + 1, merged: math.MinInt64, sending: emit}
		h.rig = newKeyedRigOn(t, emit.sessions(Session(span).Grace(late)), storage)
	} else {
		h.model = &slidingModel{length: length, hold: length + grace + 1, merged: math.MinInt64, sent: map[string]bool{}, shown: map[string]string{}, sending: emit}
		h.rig = newKeyedRigOn(t, emit.sliding(Sliding(span).Grace(late)), storage)
	}
	h.committed, h.seen = h.model.clone(), map[string]string{}
	h.rule = Bounded(time.Duration(r.Int64N(15)) * ms)
	for range 1 + r.IntN(3) {
		h.channels = append(h.channels, h.rule.Channel(NoTime))
		h.stored = append(h.stored, NoTime)
	}
	h.log = fmt.Sprintf("seed %d from %d length %d grace %d %v %d channels %d bound %v", seed, from, length, grace, emit.emit, emit.early, len(h.channels), h.rule.bound)
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
	if _, ok := h.model.(*sessionModel); ok {
		h.compareViews("end")
	}
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
	h.clock = int64(grid.Plus(EventTime(h.clock), h.r.Int64N(6)))
	n := h.r.IntN(len(h.channels))
	ts := min(max(grid.Plus(EventTime(h.clock), h.r.Int64N(50)-40), NoTime+1), MaxTime-1)
	c := &h.channels[n]
	if !c.Observe(ts, MaxTime-1) {
		h.Fatalf("%s: %d is not believed", h.log, ts)
	}
	key, text := fmt.Sprint("k", h.r.IntN(3)), fmt.Sprintf("%d.", i)
	before := len(h.rig.rows)
	got := h.rig.add(key, text, ts, c.Watermark())
	want, now := h.model.add(key, text, int64(ts), int64(c.Watermark()))
	if got != want {
		h.Fatalf("%s: record %d of time %d at watermark %d: late is %v, want %v", h.log, i, ts, c.Watermark(), got, want)
	}
	if got {
		h.late++
	}
	if h.emit == OnUpdate {
		h.compareViews("record")
	} else if sent := ordered(h.rig.rows[before:]); !slices.Equal(sent, now) {
		h.Errorf("%s: for record %d of time %d at watermark %d sent %q, want %q", h.log, i, ts, c.Watermark(), sent, now)
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
	want := h.model.advance(int64(merged))
	if sent = ordered(sent); h.emit != OnUpdate && h.emit != OnCommit && !slices.Equal(sent, want) {
		h.Errorf("%s: at %d sent %q, want %q", h.log, merged, sent, want)
	}
}

// ordered sorts tombstones that come one after the other.
func ordered(rows []string) []string {
	rows = slices.Clone(rows)
	for from := 0; from < len(rows); from++ {
		to := from
		for to < len(rows) && strings.Contains(rows[to], " gone@") {
			to++
		}
		sort.Strings(rows[from:to])
		from = to
	}
	return rows
}

func (h *keyedHistory) commit() {
	h.rig.commit()
	if h.emit == OnCommit || h.emit == OnUpdate {
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
