package windowing

import (
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/millrace/millrace/schemaregistry/serde"
	"github.com/millrace/millrace/state"
)

func TestPanesCostOneUpdateForEachRecord(t *testing.T) {
	for _, tt := range []struct {
		w       Windows
		updates int
	}{
		{Hopping(100*ms, 10*ms).Emit(OnClose), 1},
		{Hopping(100*ms, 30*ms).Emit(OnClose), 1},
		{Hopping(100*ms, 30*ms).Emit(OnClose).Offset(7 * ms), 1},
		{Hopping(100*ms, 33*ms).Emit(OnClose), 3}, // in common they have 1 ms
		{Hopping(100*ms, 10*ms).Emit(OnTime), 10},
		{Hopping(100*ms, 10*ms), 10},
		{Hopping(100*ms, 10*ms).Emit(OnClose).Early(10 * ms), 10},
		{Tumbling(100 * ms).Emit(OnClose), 1},
	} {
		store, err := counts.Open(opener{countStores(t)})
		if err != nil {
			t.Fatal(err)
		}
		updates := 0
		agg := NewAggregation(tt.w, store, func(acc *int64, _ bool) error { updates++; return nil }, discard)
		agg.Combining(sum)
		if late, err := agg.Add([]byte("k"), 1000, 1000); late || err != nil {
			t.Fatal(late, err)
		}
		if updates != tt.updates {
			t.Errorf("%+v: %d updates, want %d", tt.w, updates, tt.updates)
		}
	}
}

var sum = Combine[int64]{Values: func(acc, other int64) int64 { return acc + other }}

// TestPanesAndPartlyLateRecords: a record that is late for the older windows is in the later ones alone, also while
// the older ones, held back by another channel, have not fired.
func TestPanesAndPartlyLateRecords(t *testing.T) {
	r := newRig(t, Hopping(20*ms, 10*ms).Emit(OnClose))
	r.panes = true
	r.build()
	r.add("a", "1.", 15, 15) // in [0,20) and [10,30)
	r.add("b", "2.", 35, 35) // of the fast channel
	if r.add("a", "3.", 15, 20) {
		t.Error("late, though [10,30) is open")
	}
	if !r.add("a", "4.", 15, 30) {
		t.Error("not late, though both are closed")
	}
	r.advance(20)
	r.expect("a[0,20)=1.@19")
	r.add("c", "5.", 19, 20) // [0,20) has fired
	r.advance(MaxTime)
	r.expect("a[10,30)=1.3.@29", "c[10,30)=5.@29", "b[20,40)=2.@39", "b[30,50)=2.@49")
}

// sets are gathered in place: whoever changes a value that is not its own is found.
func TestPanesNeverChangeAPane(t *testing.T) {
	type set = map[string]bool
	handle := state.Windowed[state.Timestamped[set]]{Name: "sets", Value: state.TimestampedSerde(serde.JSON[set]())}
	stores, err := state.NewMemory().Open("0_0", state.Identity{ApplicationID: "app", Task: "0_0"}, []state.Spec{handle.Spec()})
	if err != nil {
		t.Fatal(err)
	}
	store, err := handle.Open(opener{stores})
	if err != nil {
		t.Fatal(err)
	}
	var text string
	sent := map[Window]string{}
	agg := NewAggregation(Hopping(40*ms, 10*ms).Emit(OnClose), store, func(acc *set, fresh bool) error {
		if fresh {
			*acc = set{}
		}
		(*acc)[text] = true
		return nil
	}, func(win Window, _ []byte, v *state.Timestamped[set], _ EventTime) error {
		for _, k := range slices.Sorted(maps.Keys(v.Value)) {
			sent[win] += k
		}
		return nil
	})
	agg.Combining(Combine[set]{Fresh: func() set { return set{} }, Values: func(acc, other set) set {
		maps.Copy(acc, other)
		return acc
	}})
	for i := range 20 {
		text = string(rune('a' + i))
		if _, err := agg.Add([]byte("k"), EventTime(i*10), NoTime); err != nil {
			t.Fatal(err)
		}
	}
	for w := range EventTime(20) {
		if err := agg.Advance(w * 10); err != nil {
			t.Fatal(err)
		}
		for _, start := range store.Starts() {
			err := store.Each(start, func(_ []byte, v *state.Timestamped[set]) error {
				if len(v.Value) != 1 || !v.Value[string(rune('a'+start/10))] {
					t.Errorf("at %d the pane from %d holds %v", w*10, start, v.Value)
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	if got := sent[Window{100, 140}]; len(sent) != 16 || got != "klmn" {
		t.Errorf("%d windows, [100,140) is %q", len(sent), got)
	}
}

// TestPanesOfFloatsDoNotDependOnTheStart: sums of floating-point numbers depend on what is added to what. That follows
// from the window, not from when the operator was started.
func TestPanesOfFloatsDoNotDependOnTheStart(t *testing.T) {
	handle := state.Windowed[state.Timestamped[float64]]{Name: "sums", Value: state.TimestampedSerde(serde.Float64)}
	run := func(restarts int) (sums []float64) {
		r := rand.New(rand.NewPCG(1, 2))
		stores, err := state.NewMemory().Open("0_0", state.Identity{ApplicationID: "app", Task: "0_0"}, []state.Spec{handle.Spec()})
		if err != nil {
			t.Fatal(err)
		}
		var agg *Aggregation[float64]
		var v float64
		for i := range 400 {
			if i == 0 || restarts > 0 && i%restarts == 0 {
				commitStores(t, stores, handle.Name)
				store, err := handle.Open(opener{stores})
				if err != nil {
					t.Fatal(err)
				}
				agg = NewAggregation(Hopping(50*ms, 5*ms).Emit(OnClose), store, func(acc *float64, _ bool) error { *acc += v; return nil },
					func(_ Window, _ []byte, v *state.Timestamped[float64], _ EventTime) error {
						sums = append(sums, v.Value)
						return nil
					})
				agg.Combining(Combine[float64]{Values: func(a, b float64) float64 { return a + b }})
			}
			v = r.NormFloat64()
			if _, err := agg.Add([]byte("k"), EventTime(i), EventTime(i)); err != nil {
				t.Fatal(err)
			}
			if err := agg.Advance(EventTime(i)); err != nil {
				t.Fatal(err)
			}
		}
		return sums
	}
	once := run(0)
	for _, restarts := range []int{1, 7, 50} {
		if got := run(restarts); !slices.Equal(got, once) {
			t.Errorf("started again every %d records: other sums", restarts)
		}
	}
	if len(once) != 70 {
		t.Errorf("%d sums", len(once))
	}
}

// TestPanesAcrossAJumpOfTime: windows far apart, and one watermark that closes them all.
func TestPanesAcrossAJumpOfTime(t *testing.T) {
	r := newRig(t, Hopping(20*ms, 10*ms).Emit(OnClose))
	r.panes = true
	r.build()
	r.add("a", "1.", 5, 5)
	r.add("a", "2.", 1_000_000_005, 5)
	r.advance(1 << 50)
	r.expect("a[0,20)=1.@19", "a[999999990,1000000010)=2.@1000000009", "a[1000000000,1000000020)=2.@1000000019")
	r.commit()
	if starts := r.agg.store.Starts(); len(starts) > 0 {
		t.Errorf("panes %v are left", starts)
	}
}

// TestPanesAtTheEndOfInput: what the end has closed stays closed, window by window, also after a restart.
func TestPanesAtTheEndOfInput(t *testing.T) {
	for _, panes := range []bool{false, true} {
		r := newRig(t, Hopping(20*ms, 10*ms).Grace(100*ms).Emit(OnClose))
		r.panes = panes
		r.build()
		r.add("a", "1.", 15, 15)
		r.advance(15)
		r.advance(MaxTime)
		r.expect("a[0,20)=1.@19", "a[10,30)=1.@29")
		r.commit()
		if want := (state.Closing{Watermark: 15, Below: 20}); r.closing() != want {
			t.Errorf("panes %v: stored %+v, want %+v", panes, r.closing(), want)
		}
		r.restart()
		if !r.add("a", "2.", 19, 15) {
			t.Errorf("panes %v: added to windows that the end has closed", panes)
		}
		if r.add("a", "3.", 25, 25) {
			t.Errorf("panes %v: late, though [20,40) was not there to be closed", panes)
		}
		r.advance(MaxTime)
		r.expect("a[20,40)=3.@39")
	}
}
