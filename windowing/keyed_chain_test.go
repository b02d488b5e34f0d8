package windowing

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
)

// TestKeyedChainsNothingIsLate: whatever session and sliding aggregations send on time, tombstones included, is in time
// for second windows behind them, with grace 0 - also across aborts.
func TestKeyedChainsNothingIsLate(t *testing.T) {
	for _, kind := range []string{"session", "sliding"} {
		for _, emit := range sendings {
			t.Run(fmt.Sprintf("%s %v", kind, emit), func(t *testing.T) {
				rows := 0
				for seed := range uint64(60) {
					rows += runKeyedChain(t, kind, seed, emit)
				}
				if rows < 800 {
					t.Errorf("only %d results went through", rows)
				}
			})
		}
	}
}

// runKeyedChain sends random records through a keyed aggregation into tumbling windows and into sessions, and returns
// how many results the first has sent.
func runKeyedChain(t *testing.T, kind string, seed uint64, emit sending) (rows int) {
	r := rand.New(rand.NewPCG(seed, 3))
	length, grace := time.Duration(1+r.Int64N(20))*ms, time.Duration(r.Int64N(2)*r.Int64N(25))*ms
	emit = emit.draw(r)
	first := newKeyedRig(t, emit.sessions(Session(length).Grace(grace)))
	if kind == "sliding" {
		first = newKeyedRig(t, emit.sliding(Sliding(length).Grace(grace)))
	}
	second := newRig(t, randomWindows(r).Emit(OnClose))
	third := newKeyedRig(t, Session(time.Duration(1+r.Int64N(20))*ms).Emit(OnClose))
	first.down = func(win Window, key []byte, _ *string, at EventTime) error {
		rows++
		passed := first.agg.Passed()
		if at < passed || second.add(string(key), ".", at, passed) || third.add(string(key), ".", at, passed) {
			t.Fatalf("seed %d: %v: result of %v at %d is late, judged by %d", seed, emit, win, at, passed)
		}
		return nil
	}
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
		third.advance(first.agg.Passed())
	}
	for i := range 200 {
		c := &channels[r.IntN(2)]
		ts := EventTime(1000 + int64(i) + r.Int64N(60))
		c.Observe(ts, ts)
		first.add("k", ".", ts, c.Watermark())
		sweep(false)
		switch n := r.IntN(20); {
		case n == 0:
			sweep(true)
			commitStores(t, first.stores, keyedStore)
			commitStores(t, second.stores, handle.Name)
			commitStores(t, third.stores, keyedStore)
			stored = []EventTime{channels[0].Watermark(), channels[1].Watermark()}
		case n == 1:
			first.abort()
			second.abort()
			third.abort()
			channels = []Channel{rule.Channel(stored[0]), rule.Channel(stored[1])}
		}
	}
	return rows
}
