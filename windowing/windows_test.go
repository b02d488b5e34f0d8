package windowing

import (
	"math"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace/windowing/internal/grid"
)

const ms = time.Millisecond

func TestWindowsOfATime(t *testing.T) {
	tests := []struct {
		name        string
		w           Windows
		ts          EventTime
		first, last EventTime
	}{
		{"tumbling, start", Tumbling(10 * ms), 20, 20, 20},
		{"tumbling, last instant", Tumbling(10 * ms), 29, 20, 20},
		{"tumbling, zero", Tumbling(10 * ms), 0, 0, 0},
		{"tumbling, just below zero", Tumbling(10 * ms), -1, -10, -10},
		{"tumbling, below zero, start", Tumbling(10 * ms), -10, -10, -10},
		{"tumbling, below zero, before", Tumbling(10 * ms), -11, -20, -20},
		{"hopping", Hopping(10*ms, 5*ms), 27, 20, 25},
		{"hopping, at a start", Hopping(10*ms, 5*ms), 25, 20, 25},
		{"hopping, near zero: none below it", Hopping(10*ms, 5*ms), 3, 0, 0},
		{"hopping, uneven, three windows", Hopping(10*ms, 4*ms), 8, 0, 8},
		{"hopping, uneven, two windows", Hopping(10*ms, 4*ms), 10, 4, 8},
		{"hopping, below zero", Hopping(10*ms, 5*ms), -1, -10, -5},
		{"hopping, advance is size", Hopping(10*ms, 10*ms), 9, 0, 0},
		{"hopping by 1", Hopping(3*ms, 1*ms), 7, 5, 7},
		{"last time of all", Tumbling(10 * ms), MaxTime - 1, 9223372036854775800, 9223372036854775800},
		{"first time of all, even grid", Tumbling(8 * ms), NoTime + 1, NoTime + 8, NoTime + 8},
		{"before the first start there is room for", Tumbling(10 * ms), NoTime + 3, -9223372036854775800, -9223372036854775800},
	}
	for _, tt := range tests {
		if first, last := tt.w.grid().First(tt.ts), tt.w.grid().Last(tt.ts); first != tt.first || last != tt.last {
			t.Errorf("%s: %d is in the windows from %d to %d, want %d to %d", tt.name, tt.ts, first, last, tt.first, tt.last)
		}
	}
}

func TestClosedBoundaries(t *testing.T) {
	tests := []struct {
		name      string
		w         Windows
		start     EventTime
		watermark EventTime
		want      bool
	}{
		{"before the end", Tumbling(10 * ms), 0, 9, false},
		{"at the end", Tumbling(10 * ms), 0, 10, true},
		{"grace, before", Tumbling(10 * ms).Grace(5 * ms), 0, 14, false},
		{"grace, at", Tumbling(10 * ms).Grace(5 * ms), 0, 15, true},
		{"hopping: the size counts, not the advance", Hopping(10*ms, 5*ms), 5, 14, false},
		{"hopping, at", Hopping(10*ms, 5*ms), 5, 15, true},
		{"no watermark yet", Tumbling(10 * ms), -9223372036854775800, NoTime, false},
		{"end of time", Tumbling(10 * ms), 9223372036854775800, MaxTime, true},
		{"end beyond the range: only the end of time closes", Tumbling(10 * ms), 9223372036854775800, MaxTime - 1, false},
		{"grace beyond the range", Tumbling(time.Hour).Grace(math.MaxInt64 / ms * ms), MaxTime - 7_200_000, MaxTime - 1, false},
		{"far below zero", Tumbling(10 * ms), -20, -10, true},
		{"far below zero, open", Tumbling(10 * ms), -20, -11, false},
	}
	for _, tt := range tests {
		if got := tt.w.Closed(tt.w.starting(tt.start), tt.watermark); got != tt.want {
			t.Errorf("%s: closed is %v, want %v", tt.name, got, tt.want)
		}
		if due := tt.w.Due(tt.w.starting(tt.start)); (tt.watermark >= due) != tt.want {
			t.Errorf("%s: due at %d, but closed is %v at %d", tt.name, due, tt.want, tt.watermark)
		}
	}
}

func TestWindowEndSaturates(t *testing.T) {
	if got := Tumbling(10 * ms).starting(9223372036854775800); got.End != MaxTime {
		t.Errorf("got %v", got)
	}
	if got := Tumbling(10 * ms).starting(-20); got != (Window{-20, -10}) {
		t.Errorf("got %v", got)
	}
}

func TestWindowsValidate(t *testing.T) {
	for _, w := range []Windows{
		Tumbling(ms), Hopping(10*ms, 3*ms).Grace(time.Hour).Emit(OnClose), Hopping(10*ms, 10*ms).Emit(OnUpdate),
		Tumbling(math.MaxInt64 / ms * ms).Grace(math.MaxInt64 / ms * ms),
	} {
		if err := w.Validate(); err != nil {
			t.Errorf("%+v: %v", w, err)
		}
	}
	tests := []struct {
		w    Windows
		want []string
	}{
		{Windows{}, []string{"size", "advance of windows must be positive"}},
		{Tumbling(-ms), []string{"size", "advance of windows must be positive"}},
		{Tumbling(1500 * time.Microsecond), []string{"size", "1.5ms"}},
		{Hopping(10*ms, 11*ms), []string{"exceed their size"}},
		{Hopping(10*ms, 0), []string{"advance of windows must be positive"}},
		{Tumbling(ms).Grace(-ms), []string{"grace"}},
		{Tumbling(ms).Grace(time.Microsecond), []string{"grace"}},
		{Tumbling(ms).Emit(9), []string{"unknown emission 9"}},
		{Hopping(0, 5*ms).Grace(-1).Emit(7), []string{"size", "exceed", "grace", "emission"}},
	}
	for _, tt := range tests {
		err := tt.w.Validate()
		for _, want := range tt.want {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%+v: got %v, want a complaint with %q", tt.w, err, want)
			}
		}
	}
}

func TestWindowsKeepWhatTheyWereGiven(t *testing.T) {
	w := Hopping(time.Hour, time.Minute).Grace(2 * time.Second).Emit(OnClose)
	if w.Size() != time.Hour || w.Advance() != time.Minute || w.GraceMillis() != 2000 || w.Emission() != OnClose {
		t.Errorf("got %+v", w)
	}
	if w := Tumbling(time.Hour); w.Advance() != time.Hour || w.Emission() != OnCommit || w.GraceMillis() != 0 {
		t.Errorf("got %+v", w)
	}
}

// TestInvalidWindowsDoNotPanic: Validate comes first, but a mistake must not take the process down.
func TestInvalidWindowsDoNotPanic(t *testing.T) {
	for _, w := range []Windows{{}, Tumbling(-ms), Hopping(0, -ms)} {
		for _, ts := range extremes {
			g := w.grid()
			_, _, _, _, _ = g.First(ts), g.Last(ts), g.OpenFrom(ts), g.Due(ts), w.Of(nil, ts)
		}
	}
}

var extremes = []EventTime{NoTime, NoTime + 1, NoTime + 7, NoTime + 100, -1001, -11, -10, -1, 0, 1, 9, 10, 11, 1767225600001,
	MaxTime - 100, MaxTime - 11, MaxTime - 1, MaxTime}

func TestWindowsAgreeWithTheDefinitionAtTheEdges(t *testing.T) {
	for _, size := range []int64{1, 2, 3, 7, 8, 10, 60_000} {
		for _, advance := range []int64{1, 2, 3, 5, 8, 10, size} {
			for _, grace := range []int64{0, 1, 9, math.MaxInt64 / int64(ms)} {
				if advance > size || size/advance > 100 {
					continue
				}
				w := Hopping(time.Duration(size)*ms, time.Duration(advance)*ms).Grace(time.Duration(grace) * ms)
				for _, ts := range extremes {
					checkMembership(t, w, ts)
					for near := range EventTime(4) {
						checkOpenFrom(t, w, grid.Plus(ts, int64(near)))
						checkOpenFrom(t, w, grid.Plus(ts, -int64(near)))
					}
				}
			}
		}
	}
}

// FuzzWindows compares with the definitions, computed without bounds.
func FuzzWindows(f *testing.F) {
	f.Add(int64(0), int64(10), int64(5), int64(3))
	f.Add(int64(math.MinInt64), int64(10), int64(3), int64(0))
	f.Add(int64(math.MaxInt64-1), int64(1), int64(1), int64(1<<40))
	f.Fuzz(func(t *testing.T, at, size, advance, grace int64) {
		const most = int64(math.MaxInt64 / time.Millisecond)
		if size < 1 || size > most || advance < 1 || advance > size || size/advance > 1000 || grace < 0 || grace > most {
			t.Skip("not windows, or too many of them to list")
		}
		w := Hopping(time.Duration(size)*ms, time.Duration(advance)*ms).Grace(time.Duration(grace) * ms)
		if err := w.Validate(); err != nil {
			t.Fatal(err)
		}
		checkMembership(t, w, EventTime(at))
		checkOpenFrom(t, w, EventTime(at))
	})
}

// checkMembership compares First and Last with the list of windows that contain ts.
func checkMembership(t *testing.T, w Windows, ts EventTime) {
	t.Helper()
	want := naiveStarts(w.size.Milliseconds(), w.advance.Milliseconds(), int64(ts))
	var got []int64
	for s := w.grid().First(ts); ; s += EventTime(w.grid().Step) {
		got = append(got, int64(s))
		if s >= w.grid().Last(ts) {
			break
		}
	}
	if len(got) != len(want) || got[0] != want[0] || got[len(got)-1] != want[len(want)-1] {
		t.Fatalf("size %v advance %v: %d is in %d windows %d to %d, want %d, %d to %d", w.size, w.advance, ts,
			len(got), got[0], got[len(got)-1], len(want), want[0], want[len(want)-1])
	}
}

// naiveStarts lists the starts of the windows that contain ts, ascending, by the definition: multiples of the advance
// s with s <= ts < s + size, not below 0 for ts >= 0, that are times. If there is no such time, it is the lowest one.
func naiveStarts(size, advance, ts int64) []int64 {
	var starts []int64
	step, at := big.NewInt(advance), big.NewInt(ts)
	k := new(big.Int).Div(at, step) // rounds down
	s := new(big.Int).Mul(k, step)
	for ; new(big.Int).Add(s, big.NewInt(size)).Cmp(at) > 0; s.Sub(s, step) {
		if s.Cmp(big.NewInt(math.MinInt64)) <= 0 || ts >= 0 && s.Sign() < 0 {
			break
		}
		starts = append([]int64{s.Int64()}, starts...)
	}
	if len(starts) == 0 {
		lowest := new(big.Int).Div(big.NewInt(math.MinInt64), step)
		starts = append(starts, lowest.Add(lowest, big.NewInt(1)).Mul(lowest, step).Int64())
	}
	return starts
}

// naiveClosed is the predicate without bounds, but for the ends of time.
func naiveClosed(size, grace, start, watermark int64) bool {
	if watermark == math.MaxInt64 {
		return true
	}
	due := new(big.Int).Add(big.NewInt(start), big.NewInt(size))
	due.Add(due, big.NewInt(grace))
	return big.NewInt(watermark).Cmp(due) >= 0
}

// checkOpenFrom checks that exactly the windows below OpenFrom are closed.
func checkOpenFrom(t *testing.T, w Windows, watermark EventTime) {
	t.Helper()
	from, size, grace := w.grid().OpenFrom(watermark), w.size.Milliseconds(), w.grace.Milliseconds()
	if watermark == MaxTime {
		if from != MaxTime {
			t.Fatalf("at the end of time windows from %d on are open", from)
		}
		return
	}
	step := EventTime(w.grid().Step)
	if from%step != 0 || from == NoTime {
		t.Fatalf("advance %v: windows from %d on are open, which is no start", w.advance, from)
	}
	if w.Closed(w.starting(from), watermark) || naiveClosed(size, grace, int64(from), int64(watermark)) {
		t.Fatalf("size %v grace %v: %d is said to be open at %d", w.size, w.grace, from, watermark)
	}
	if from < NoTime+1+step {
		return // the lowest start of all
	}
	if before := from - step; !w.Closed(w.starting(before), watermark) || !naiveClosed(size, grace, int64(before), int64(watermark)) {
		t.Fatalf("size %v grace %v: %d is said to be closed at %d", w.size, w.grace, before, watermark)
	}
}
