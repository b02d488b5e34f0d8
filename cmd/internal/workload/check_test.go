package workload

import (
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
)

func rows(a aggregate) map[outKey]int64 {
	m := make(map[outKey]int64)
	a.each(func(k outKey, n int64) { m[k] = n })
	return m
}

func TestWindows(t *testing.T) {
	w := newWindows(10, 10, 5)
	for _, r := range []struct {
		partition int32
		ts        int64
		late      bool
	}{
		{0, 3, false},
		{0, 14, false}, // closes nothing yet: 14-5 < 10
		{0, 9, false},
		{0, 15, false}, // window [0,10) is closed from here
		{0, 9, true},
		{1, 9, false}, // another partition has its own stream time
	} {
		if late := w.add(r.partition, uint64(r.partition), r.ts); late != r.late {
			t.Errorf("%+v: late %v", r, late)
		}
	}
	want := map[outKey]int64{{0, 0, 0}: 2, {0, 10, 0}: 2, {1, 0, 0}: 1}
	if got := rows(w); !maps.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestHoppingWindows(t *testing.T) {
	w := newWindows(10, 3, 0)
	w.add(0, 1, 4)  // windows 0, 3
	w.add(0, 1, 10) // windows 3, 6, 9
	w.add(0, 1, 9)  // windows 3, 6, 9; 0 is closed
	want := map[outKey]int64{{1, 0, 0}: 1, {1, 3, 0}: 3, {1, 6, 0}: 2, {1, 9, 0}: 2}
	if got := rows(w); !maps.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestSessions(t *testing.T) {
	s := newSessions(10, 100)
	for _, ts := range []int64{100, 121, 110, 140, 111} { // 111 joins 100..110 and 121
		if s.add(0, 1, ts) {
			t.Errorf("%d is late", ts)
		}
	}
	want := map[outKey]int64{{1, 121, 100}: 4, {1, 140, 140}: 1}
	if got := rows(s); !maps.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	s.add(0, 1, 300)
	if !s.add(0, 1, 180) || s.add(0, 1, 190) {
		t.Error("a session is late if it ends before stream time - grace - gap")
	}
}

// A row is due from the very record that closes it. Flush records move the time
// of their partition only and make no rows.
func TestClosedFor(t *testing.T) {
	for _, tc := range []struct {
		agg      aggregate
		k        outKey
		lastOpen int64
	}{
		{newWindows(10, 10, 3), outKey{1, 100, 0}, 112}, // closed at end + grace
		{newWindows(10, 5, 3), outKey{1, 95, 0}, 107},
		{newSessions(10, 3), outKey{1, 104, 100}, 117}, // closed after end + gap + grace
	} {
		tc.agg.add(0, 1, 100)
		tc.agg.add(0, 1, 104)
		if n, ok := tc.agg.row(tc.k); !ok || n != 2 {
			t.Errorf("row %v = %d, %v", tc.k, n, ok)
		}
		for _, k := range []outKey{{1, tc.k.a - 1, tc.k.b}, {1, 0, tc.k.b + 1}, {9, tc.k.a, tc.k.b}} {
			if n, ok := tc.agg.row(k); ok {
				t.Errorf("row %v = %d", k, n)
			}
		}
		before := len(rows(tc.agg))
		for i, ts := range []int64{tc.lastOpen, tc.lastOpen + 1} {
			tc.agg.flush(1, 1000)
			tc.agg.flush(0, ts)
			if d := tc.agg.closedFor(tc.k); d != int64(i)-1 {
				t.Errorf("%v at %d: closed for %d", tc.k, ts, d)
			}
		}
		if after := len(rows(tc.agg)); after != before {
			t.Errorf("%d rows after the flush, %d before", after, before)
		}
	}
}

// The outcome must not depend on the order when nothing is late.
func TestSessionsOrder(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		ts := make([]int64, 50)
		for i := range ts {
			ts[i] = r.Int64N(400)
		}
		count := func() map[outKey]int64 {
			s := newSessions(5, 1000)
			for _, t := range ts {
				s.add(0, 1, t)
			}
			return rows(s)
		}
		got := count()
		slices.Sort(ts)
		if want := count(); !maps.Equal(got, want) {
			t.Fatalf("got %v, want %v", got, want)
		}
	}
}

func TestJoinStreams(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	events := func() map[uint64][]event {
		m := make(map[uint64][]event)
		for range 300 {
			id := r.Uint64N(5)
			m[id] = append(m[id], event{r.Int64N(100_000), r.Int64N(10)})
		}
		for _, e := range m {
			slices.SortFunc(e, func(a, b event) int { return int(a.ts - b.ts) })
		}
		return m
	}
	left, right := events(), events()
	var want rowHashes
	for id, ls := range left {
		for _, l := range ls {
			for _, r := range right[id] {
				if d := l.ts - r.ts; -joinWindow <= d && d <= joinWindow {
					want.addJoined(id, l.amount, r.amount)
				}
			}
		}
	}
	got := joinStreams(left, right)
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("%d rows, want %d", len(got), len(want))
	}
}

func TestCompareRows(t *testing.T) {
	var v Verdict
	compareRows(&v, rowHashes{1, 2, 2, 3, 5, 9}, rowHashes{0, 1, 1, 2, 2, 2, 4, 5, 10})
	want := Verdict{Passed: 4, Missing: 2, Unexpected: 3, Duplicate: 2}
	if v.Passed != want.Passed || v.Missing != want.Missing || v.Unexpected != want.Unexpected || v.Duplicate != want.Duplicate {
		t.Errorf("got %+v, want %+v", v, want)
	}
}

func TestParseKey(t *testing.T) {
	var key [KeySize]byte
	PutKey(&key, 0xfedcba9876543210)
	if id, ok := ParseKey(key[:]); !ok || id != 0xfedcba9876543210 || string(key[:]) != "fedcba9876543210" {
		t.Errorf("%q %x %v", key, id, ok)
	}
	for _, bad := range []string{"", "0", "FEDCBA9876543210", "000000000000000g", "00000000000000000"} {
		if _, ok := ParseKey([]byte(bad)); ok {
			t.Errorf("%q parsed", bad)
		}
	}
}

// A pair joins up to and including the window's bounds.
func TestJoinBounds(t *testing.T) {
	left := map[uint64][]event{1: {{ts: 100_000, amount: 3}}}
	for dt, want := range map[int64]int{-joinWindow - 1: 0, -joinWindow: 1, 0: 1, joinWindow: 1, joinWindow + 1: 0} {
		right := map[uint64][]event{1: {{ts: 100_000 + dt, amount: 4}}, 2: {{ts: 100_000}}}
		if got := joinStreams(left, right); len(got) != want {
			t.Errorf("dt %d: %d rows, want %d", dt, len(got), want)
		}
	}
}

func TestScaled(t *testing.T) {
	for amount, want := range map[int64]int64{1: 0, 9: 8, 1001: 908, 9999: 9079} {
		value := append(count(amount), "rest"...)
		if keep := scaled(value); !keep || be64(value) != want || string(value[8:]) != "rest" {
			t.Errorf("%d: %d, %v, want %d", amount, be64(value), keep, want)
		}
	}
	if scaled(count(1230)) || scaled(count(0)) {
		t.Error("a multiple of ten is kept")
	}
}
