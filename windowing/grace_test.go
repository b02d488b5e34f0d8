package windowing

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"testing"
	"time"
)

// A graceModel says what windows with finals have to send where their grace changes: a window takes a record as long as
// it is open by the grace of now and was by those of before, and what it has it sends once.
type graceModel struct {
	wins  func(ts EventTime) []Window
	grace int64
	at    EventTime // the watermark
	gone  map[Window]bool
	sums  map[string]int
}

func (m *graceModel) closed(win Window) bool {
	return m.gone[win] || m.at >= win.End+EventTime(m.grace)
}

func (m *graceModel) add(key string, ts EventTime) (late bool) {
	m.at = max(m.at, ts)
	late = true
	for _, win := range m.wins(ts) {
		if !m.closed(win) {
			late = false
			m.sums[fmt.Sprintf("%s[%d,%d)", key, win.Start, win.End)]++
		}
	}
	return late
}

// change is another version with another grace.
func (m *graceModel) change(grace int64) {
	for ts := range m.at + 1000 { // times begin at 0
		for _, win := range m.wins(ts) {
			if m.closed(win) {
				m.gone[win] = true
			}
		}
	}
	m.grace = grace
}

// Windows whose grace changes from version to version, over kept state: by the model, at random.
func TestAnotherGraceAtRandom(t *testing.T) {
	shapes := map[string]func(grace time.Duration) Windows{
		"tumbling":         func(g time.Duration) Windows { return Tumbling(20 * ms).Grace(g) },
		"hopping in panes": func(g time.Duration) Windows { return Hopping(20*ms, 10*ms).Grace(g) },
		"hopping apart":    func(g time.Duration) Windows { return Hopping(20*ms, 7*ms).Grace(g) },
	}
	for name, shape := range shapes {
		t.Run(name, func(t *testing.T) {
			for seed := range uint64(300) {
				if diff := anotherGrace(t, shape, rand.New(rand.NewPCG(seed, 1))); diff != "" {
					t.Fatalf("seed %d: %s", seed, diff)
				}
			}
		})
	}
}

func anotherGrace(t *testing.T, shape func(time.Duration) Windows, d *rand.Rand) string {
	t.Helper()
	grace := d.Int64N(60)
	windows := func() Windows { return shape(time.Duration(grace) * ms).Emit(OnClose) }
	r := newRig(t, windows())
	r.panes = Combines(r.windows) == nil
	r.build()
	m := &graceModel{
		grace: grace, at: NoTime, gone: map[Window]bool{}, sums: map[string]int{},
		wins: func(ts EventTime) (all []Window) {
			g := windows().grid()
			for start := g.First(ts); start <= g.Last(ts); start += EventTime(g.Step) {
				all = append(all, windows().starting(start))
			}
			return all
		},
	}
	time := EventTime(0)
	for range 4 {
		for range d.IntN(15) {
			key := fmt.Sprint(d.IntN(2))
			time += EventTime(d.IntN(12))
			ts := max(0, time-EventTime(d.IntN(50)))
			if got, want := r.add(key, "x.", ts, max(m.at, ts)), m.add(key, ts); got != want {
				return fmt.Sprintf("a record at %d, watermark %d, grace %d: late is %v", ts, m.at, grace, got)
			}
			r.advance(m.at)
		}
		r.commit()
		before := grace
		grace = d.Int64N(60)
		m.change(grace)
		r.windows = windows()
		r.build()
		r.agg.GraceBefore(before)
		r.advance(m.at)
		r.commit()
	}
	r.advance(MaxTime)
	got := map[string]int{}
	for _, text := range r.rows {
		var key string
		var from, to int
		var value string
		if _, err := fmt.Sscanf(text, "%1s[%d,%d)=%s", &key, &from, &to, &value); err != nil {
			t.Fatal(err)
		}
		name := fmt.Sprintf("%s[%d,%d)", key, from, to)
		if got[name] > 0 {
			return name + " was sent twice"
		}
		for _, c := range value {
			if c == 'x' {
				got[name]++
			}
		}
	}
	if !maps.Equal(got, m.sums) {
		return fmt.Sprintf("sent %v, want %v", got, m.sums)
	}
	return ""
}
