package windowing

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/millrace/millrace/state"
)

// TestChainedIntoSecondWindowsNothingIsLate: whatever an aggregation sends on time is in time for a second one behind
// it, of any windows, with grace 0 - also across aborts.
func TestChainedIntoSecondWindowsNothingIsLate(t *testing.T) {
	for kind, make := range modelKinds {
		for _, emit := range []Emit{OnClose, OnCommit, OnUpdate, OnTime} {
			t.Run(kind+" "+emit.String(), func(t *testing.T) {
				rows := 0
				for seed := range uint64(40) {
					rows += runChain(t, seed, emit, make.windows)
				}
				if rows < 100 {
					t.Errorf("only %d results went through", rows)
				}
			})
		}
	}
}

func randomWindows(r *rand.Rand) Windows {
	size := 1 + r.Int64N(30)
	advance := size
	if r.IntN(2) == 0 {
		advance = 1 + r.Int64N(size)
	}
	return Hopping(time.Duration(size)*ms, time.Duration(advance)*ms)
}

// runChain sends random records through two aggregations and returns how many results the first has sent.
func runChain(t *testing.T, seed uint64, emit Emit, windows func(r *rand.Rand, m *model, from int64) Windows) (rows int) {
	r := rand.New(rand.NewPCG(seed, 2))
	var m model
	w := windows(r, &m, 1000).Grace(time.Duration(r.Int64N(2)*r.Int64N(25)) * ms).Emit(emit)
	if (emit == OnClose || emit == OnTime) && !m.sorted && r.IntN(2) == 0 {
		w = w.Early(time.Duration(1+r.Int64N(9)) * ms)
	}
	first := newRig(t, w)
	if first.panes = m.sorted; m.sorted {
		first.build()
	}
	second := newRig(t, randomWindows(r).Emit(OnClose))
	connect := func() {
		first.agg.emit = func(win Window, key []byte, v *state.Timestamped[string], at EventTime) error {
			rows++
			if second.add(string(key), ".", at, first.agg.Passed()) {
				t.Fatalf("seed %d: %v: result of %v at %d is late for %+v, judged by %d", seed, emit, win, at, second.windows, first.agg.Passed())
			}
			return nil
		}
	}
	connect()
	rule := Bounded(time.Duration(r.Int64N(10)) * ms)
	channels := []Channel{rule.Channel(NoTime), rule.Channel(NoTime)}
	stored := []EventTime{NoTime, NoTime}
	sweep := func(commit bool) {
		first.advance(min(channels[0].Watermark(), channels[1].Watermark()))
		if commit {
			if err := first.agg.BeforeCommit(); err != nil {
				t.Fatal(err)
			}
		}
		second.advance(first.agg.Passed())
	}
	for i := range 200 {
		c := &channels[r.IntN(2)]
		ts := EventTime(1000 + int64(i) + r.Int64N(40))
		c.Observe(ts, ts)
		first.add("k", ".", ts, c.Watermark())
		sweep(false)
		switch n := r.IntN(20); {
		case n == 0:
			sweep(true)
			commitStores(t, first.stores, handle.Name)
			commitStores(t, second.stores, handle.Name)
			stored = []EventTime{channels[0].Watermark(), channels[1].Watermark()}
		case n == 1:
			first.abort()
			second.abort()
			connect()
			channels = []Channel{rule.Channel(stored[0]), rule.Channel(stored[1])}
		}
	}
	first.advance(MaxTime)
	if err := first.agg.BeforeCommit(); err != nil {
		t.Fatal(err)
	}
	return rows
}
