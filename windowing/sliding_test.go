package windowing

import (
	"testing"

	"github.com/millrace/millrace/schemaregistry/serde"
	"github.com/millrace/millrace/state"
)

// TestSlidingUpdates is the table of SEMANTICS.md.
func TestSlidingUpdates(t *testing.T) {
	r := newKeyedRig(t, Sliding(10*ms).Emit(OnUpdate))
	steps := []struct {
		text       string
		ts, judged EventTime
		want       []string
	}{
		{"a", 8, 8, []string{"k[0,10]=a@8"}},
		{"b", 5, 8, []string{"k[0,10]=ab@8", "k[6,16]=a@8"}},
		{"c", 15, 15, []string{"k[5,15]=abc@15", "k[6,16]=ac@15", "k[9,19]=c@15"}},
		{"d", 15, 15, []string{"k[5,15]=abcd@15", "k[6,16]=acd@15", "k[9,19]=cd@15"}},
		{"e", 7, 17, []string{"k[8,18]=acd@15"}}, // [0,10], [5,15] and [6,16] are closed
		{"f", 7, 18, nil},
	}
	for _, s := range steps {
		if late := r.add("k", s.text, s.ts, s.judged); late != (s.text == "f") {
			t.Errorf("%s: late is %v", s.text, late)
		}
		r.advance(s.judged)
		r.expect(s.want...)
	}
}

// TestSlidingKnowsLateRecordsLater: a record none of whose windows exists any more is counted in those to come.
func TestSlidingKnowsLateRecordsLater(t *testing.T) {
	r := newKeyedRig(t, Sliding(10*ms).Emit(OnUpdate))
	r.advance(100)
	if r.add("k", "a", 95, 100) {
		t.Error("late")
	}
	r.expect()
	r.add("k", "b", 100, 100)
	r.expect("k[90,100]=ab@100", "k[96,106]=b@100")
	r.commit()
	r.restart()
	r.add("k", "c", 105, 105)
	r.expect("k[95,105]=abc@105", "k[96,106]=bc@105", "k[101,111]=c@105")
}

// TestSlidingClosing: W > end + grace, finals at the end, by start and key.
func TestSlidingClosing(t *testing.T) {
	r := newKeyedRig(t, Sliding(10*ms).Grace(3*ms).Emit(OnClose))
	r.add("b", "x", 20, 20)
	r.add("a", "y", 20, 20)
	r.add("a", "z", 24, 24)
	r.advance(23)
	r.expect()
	r.advance(24)
	r.expect("a[10,20]=y@20", "b[10,20]=x@20")
	if passed := r.agg.Passed(); passed != 21 {
		t.Errorf("passed %d", passed)
	}
	r.advance(MaxTime)
	r.expect("a[14,24]=yz@24", "a[21,31]=z@31")
}

// TestSlidingValuesAreNotShared: windows that start out with the same records do not see what the other is given.
func TestSlidingValuesAreNotShared(t *testing.T) {
	list := serde.JSON[[]int]()
	h := SlidingStore(keyedStore, list)
	stores, err := state.NewMemory().Open("0_0", state.Identity{ApplicationID: "app", Task: "0_0"}, []state.Spec{h.Spec()})
	if err != nil {
		t.Fatal(err)
	}
	store, err := h.Open(opener{stores})
	if err != nil {
		t.Fatal(err)
	}
	codec, _ := list.Bind(serde.Use{})
	n := 0
	got := map[Window]int{}
	agg, err := NewSlidingAggregation(Sliding(10*ms).Emit(OnUpdate), store, codec,
		func(acc *[]int, _ bool) error {
			if *acc == nil {
				*acc = make([]int, 0, 100) // room in which to overwrite one another
			}
			*acc = append(*acc, n)
			return nil
		},
		func(win Window, _ []byte, v *[]int, _ EventTime) error {
			got[win] = 0
			for _, x := range *v {
				got[win] = 10*got[win] + x
			}
			return nil
		})
	if err != nil {
		t.Fatal(err)
	}
	for _, ts := range []EventTime{20, 25, 31, 22} {
		n++
		if _, err := agg.Add([]byte("k"), ts, 20); err != nil {
			t.Fatal(err)
		}
	}
	for win, want := range map[Window]int{{10, 20}: 1, {12, 22}: 14, {15, 25}: 124, {21, 31}: 234, {23, 33}: 23, {26, 36}: 3} {
		if got[win] != want {
			t.Errorf("%v: got %d, want %d", win, got[win], want)
		}
	}
}
