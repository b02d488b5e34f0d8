package windowing

import (
	"fmt"
	"testing"

	"github.com/millrace/millrace/schemaregistry/serde"
	"github.com/millrace/millrace/state"
)

func keyedCounter(t testing.TB, w Definition) (keyedAggregation, *state.Stores) {
	t.Helper()
	spec := SessionStore(keyedStore, serde.Int64).Spec()
	stores, err := state.NewMemory().Open("0_0", state.Identity{ApplicationID: "app", Task: "0_0"}, []state.Spec{spec})
	if err != nil {
		t.Fatal(err)
	}
	emit := func(Window, []byte, *int64, EventTime) error { return nil }
	var agg keyedAggregation
	switch w := w.(type) {
	case SessionWindows:
		store, openErr := SessionStore(keyedStore, serde.Int64).Open(opener{stores})
		if openErr != nil {
			t.Fatal(openErr)
		}
		merge := func(into, next *int64, _ bool) error { *into += *next; return nil }
		agg, err = NewSessionAggregation(w, store, count, merge, emit)
	case SlidingWindows:
		store, openErr := SlidingStore(keyedStore, serde.Int64).Open(opener{stores})
		if openErr != nil {
			t.Fatal(openErr)
		}
		codec, _ := serde.Int64.Bind(serde.Use{})
		agg, err = NewSlidingAggregation(w, store, codec, count, emit)
	}
	if err != nil {
		t.Fatal(err)
	}
	return agg, stores
}

// TestSessionCountAllocatesNothing: a record of a session that exists costs no allocation, whether it prolongs it or
// not, in any mode.
func TestSessionCountAllocatesNothing(t *testing.T) {
	for _, emit := range []Emit{OnCommit, OnClose, OnUpdate} {
		agg, _ := keyedCounter(t, Session(1000*ms).Emit(emit))
		keys := [][]byte{[]byte("a"), []byte("b"), []byte("c")}
		ts, n := EventTime(1767225600000), 0
		add := func() {
			ts += 10
			n++
			if late, err := agg.Add(keys[n%3], ts, ts); late || err != nil {
				t.Fatal(late, err)
			}
			if err := agg.Advance(ts); err != nil {
				t.Fatal(err)
			}
		}
		for range 1000 {
			add()
		}
		if allocs := testing.AllocsPerRun(5000, add); allocs != 0 {
			t.Errorf("%v: %v allocations per record", emit, allocs)
		}
	}
}

// BenchmarkKeyedAdd counts records of 10,000 keys; time goes on by 1 ms every 16 records. A commit comes every 100,000
// records.
func BenchmarkKeyedAdd(b *testing.B) {
	for _, w := range []struct {
		name string
		Definition
		keys uint64
	}{
		{"session that goes on", Session(60_000 * ms).Emit(OnClose), 10_000},
		{"session of 5 records", Session(400 * ms).Emit(OnClose), 10_000},
		{"session on-commit", Session(60_000 * ms), 10_000},
		{"sliding, 3 records each", Sliding(2_000 * ms).Emit(OnClose), 10_000},
		{"sliding, 30 records each", Sliding(20_000 * ms).Emit(OnClose), 10_000},
	} {
		b.Run(w.name, func(b *testing.B) {
			agg, stores := keyedCounter(b, w.Definition)
			keys := make([][]byte, w.keys)
			for i := range keys {
				keys[i] = fmt.Appendf(nil, "key-%07d", i)
			}
			channel := Ascending().Channel(NoTime)
			b.ReportAllocs()
			n := uint64(0)
			for b.Loop() {
				ts := EventTime(1767225600000 + n/16)
				channel.Observe(ts, ts)
				if late, err := agg.Add(keys[n*2654435761%w.keys], ts, channel.Watermark()); late || err != nil {
					b.Fatal(late, err)
				}
				if err := agg.Advance(channel.Watermark()); err != nil {
					b.Fatal(err)
				}
				if n++; n%100_000 == 0 {
					if err := agg.BeforeCommit(); err != nil {
						b.Fatal(err)
					}
					commitStores(b, stores, keyedStore)
				}
			}
		})
	}
}
