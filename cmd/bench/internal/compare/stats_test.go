package compare

import (
	"math"
	"testing"
	"time"
)

func TestSpread(t *testing.T) {
	for _, tc := range []struct {
		values []float64
		want   Spread
	}{
		{nil, Spread{}},
		{[]float64{7}, Spread{7, 7, 7, 1}},
		{[]float64{4, 1}, Spread{2.5, 1, 4, 2}},
		{[]float64{9, 1, 5}, Spread{5, 1, 9, 3}},
		{[]float64{4, 1, 3, 2}, Spread{2.5, 1, 4, 4}},
	} {
		if got := SpreadOf(tc.values); got != tc.want {
			t.Errorf("%v: %+v, want %+v", tc.values, got, tc.want)
		}
	}
}

// run makes samples of a run that commits every so many looks, at an even rate but
// for a start of one second without a commit and a slow end.
func run(every int, total int64) (samples []sample) {
	start := time.Now()
	var committed int64
	for i := range 211 {
		at := time.Duration(i) * observeInterval
		done := int64(0)
		if i > 10 {
			done = min(int64(i-10)*total/100, total)
		}
		if i > 10 && (i-10)%every == 0 {
			committed = done
		}
		samples = append(samples, sample{
			at: start.Add(at), records: committed,
			contender: at * 9 / 10, broker: at / 2, self: at / 100, machine: at*9/10 + at/2 + at/100 + at/4,
		})
	}
	return samples
}

// However often a contender commits, the figures are those of its work.
func TestFigures(t *testing.T) {
	const total = 1_000_000 // in 10 s
	for _, every := range []int{1, 2, 10, 25} {
		f, err := figures(run(every, total), total)
		if err != nil {
			t.Fatal(err)
		}
		for name, pair := range map[string][2]float64{
			"rate": {f.Rate, 100_000}, "steady": {f.Steady, 6}, "cpu": {f.CPU, 9}, "broker": {f.Broker, 5}, "others": {f.Others, 25},
		} {
			if math.Abs(pair[0]-pair[1]) > pair[1]*1e-6 {
				t.Errorf("a commit each %d looks: %s %v, want %v", every, name, pair[0], pair[1])
			}
		}
		if f.Commits != 100/every {
			t.Errorf("%d commits seen, want %d", f.Commits, 100/every)
		}
	}
}

// The offsets of the last transaction may be missing.
func TestFiguresOfWhatWasSeen(t *testing.T) {
	moment := time.Now()
	at := func(s int, n int64) sample { return sample{at: moment.Add(time.Duration(s) * time.Second), records: n} }
	f, err := figures([]sample{at(0, 0), at(1, 20), at(3, 60), at(4, 80), at(9, 80)}, 100)
	if err != nil || math.Abs(f.Rate-20) > 1e-9 || math.Abs(f.Steady-2.4) > 1e-9 {
		t.Errorf("%+v, %v", f, err)
	}
}

// What goes before the first commit is the start of a contender, not its work: time runs
// from the last look without a commit.
func TestFiguresOfALateStart(t *testing.T) {
	moment := time.Now()
	at := func(s int, n int64) sample { return sample{at: moment.Add(time.Duration(s) * time.Second), records: n} }
	f, err := figures([]sample{at(0, 0), at(5, 0), at(10, 0), at(11, 50), at(12, 100)}, 100)
	if err != nil || math.Abs(f.Rate-50) > 1e-9 {
		t.Errorf("%+v, %v", f, err)
	}
}

// A run that commits too seldom, or not to the end, has no figures.
func TestNoFigures(t *testing.T) {
	moment := time.Now()
	at := func(s int, n int64) sample { return sample{at: moment.Add(time.Duration(s) * time.Second), records: n} }
	for name, samples := range map[string][]sample{
		"nothing":             nil,
		"no commit":           {at(0, 0), at(1, 0)},
		"ended early":         {at(0, 0), at(1, 20), at(2, 40), at(3, 59)},
		"began in the middle": {at(0, 50), at(1, 100)},
		"took no time":        {at(0, 0), at(0, 100)},
	} {
		if f, err := figures(samples, 100); err == nil {
			t.Errorf("%s: %+v", name, f)
		}
	}
}
