package soak

import (
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace/cmd/internal/workload"
)

const (
	pace  = 1000
	every = time.Minute
)

// lives makes five minutes of samples with a kill in the middle of each; after it the
// backlog takes ten seconds.
func lives(memory, files func(second int) int) (taken []sample, kills []time.Duration) {
	for second := range 300 {
		if second%60 == 30 {
			kills = append(kills, time.Duration(second)*time.Second+time.Millisecond)
		}
		s := sample{at: time.Duration(second) * time.Second, resident: int64(memory(second)) << 20, files: files(second)}
		if since := second%60 - 30; since > 0 && since < 10 {
			s.lag = 5 * pace
		}
		taken = append(taken, s)
	}
	return taken, kills
}

func TestVerdict(t *testing.T) {
	saw := func(second int) int { return 100 + second%60 } // grows in each life, not over all
	flat := func(int) int { return 50 }
	good := &workload.Verdict{Passed: 5}
	for name, tc := range map[string]struct {
		memory, files func(int) int
		change        func(taken []sample)
		output        *workload.Verdict
		wrong         string
	}{
		"flat":          {saw, flat, nil, good, ""},
		"memory grows":  {func(second int) int { return 100 + second/4 }, flat, nil, good, "memory grows"},
		"files grow":    {saw, func(second int) int { return 50 + second/3 }, nil, good, "files grow"},
		"start is free": {saw, flat, func(taken []sample) { taken[1].resident, taken[2].lag = 1, 1<<40 }, good, ""},
		"wrong output":  {saw, flat, nil, &workload.Verdict{Passed: 5, Missing: 1}, "output"},
		"no output":     {saw, flat, nil, nil, "output"},
		"never caught up": {saw, flat, func(taken []sample) {
			for i := 91; i < 160; i++ {
				taken[i].lag = 3 * pace
			}
		}, good, "backlog of 1 kills"},
	} {
		taken, kills := lives(tc.memory, tc.files)
		if tc.change != nil {
			tc.change(taken)
		}
		v := judge(taken, kills, pace, every)
		v.Output = tc.output
		err := v.Err()
		if (err != nil) != (tc.wrong != "") || err != nil && !strings.Contains(err.Error(), tc.wrong) {
			t.Errorf("%s: %v, want %q\n%v", name, err, tc.wrong, v)
		}
		if want := map[bool]string{true: "passed", false: "FAILED"}[err == nil]; !strings.Contains(v.String(), "verdict: "+want) {
			t.Errorf("%s: %v", name, v)
		}
	}
	taken, kills := lives(saw, flat)
	if v := judge(taken, kills, pace, every); v.Slowest.Round(time.Second) != 10*time.Second || v.MaxLag != 5*pace || v.Kills != 5 || v.Samples != 280 {
		t.Errorf("%v", v)
	}
	if err := judge(nil, nil, pace, every).Err(); err == nil || !strings.Contains(err.Error(), "only 0 samples") {
		t.Errorf("of nothing: %v", err)
	}
}
