package soak

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/millrace/millrace/cmd/internal/workload"
)

const (
	// sampleInterval is the time between two looks.
	sampleInterval = time.Second
	// settle is the beginning that is left out: caches fill.
	settle = 20 * time.Second

	// What counts as flat: the median of the last third against that of the first.
	memoryGrowth = 1.15
	memorySpare  = 16 << 20 // bytes
	filesGrowth  = 1.25
	filesSpare   = 20

	// A kill is overcome when the backlog is below this many seconds of the load.
	overcome = 2 * time.Second
)

// A sample is one look at the processor.
type sample struct {
	at       time.Duration
	resident int64 // bytes
	files    int   // in the state directory
	lag      int64 // records
}

// Thirds compares the median of the first third with that of the last.
type Thirds struct {
	First, Last float64
	// Bound is what the last may be at most.
	Bound float64
}

// Flat reports whether the last third keeps the bound.
func (t Thirds) Flat() bool { return t.Last <= t.Bound }

// A Verdict says how a soak went.
type Verdict struct {
	Samples, Kills int
	Memory, Files  Thirds // bytes; number
	// Overcome is how many kills the backlog was worked off after before the next one,
	// Slowest the longest time that took.
	Overcome int
	Slowest  time.Duration
	// MaxLag is the largest backlog in records.
	MaxLag int64
	Output *workload.Verdict
}

// judge sums up what was seen.
func judge(taken []sample, kills []time.Duration, pace int64, every time.Duration) Verdict {
	taken = slices.DeleteFunc(slices.Clone(taken), func(s sample) bool { return s.at < settle })
	v := Verdict{
		Samples: len(taken), Kills: len(kills),
		Memory: thirds(taken, memoryGrowth, memorySpare, func(s sample) float64 { return float64(s.resident) }),
		Files:  thirds(taken, filesGrowth, filesSpare, func(s sample) float64 { return float64(s.files) }),
	}
	for _, s := range taken {
		v.MaxLag = max(v.MaxLag, s.lag)
	}
	small := int64(overcome.Seconds() * float64(pace))
	for _, kill := range kills {
		i := slices.IndexFunc(taken, func(s sample) bool { return s.at > kill+sampleInterval && s.lag <= small })
		if i >= 0 && taken[i].at < kill+every {
			v.Overcome++
			v.Slowest = max(v.Slowest, taken[i].at-kill)
		}
	}
	return v
}

func thirds(taken []sample, growth, spare float64, of func(sample) float64) Thirds {
	n := len(taken) / 3
	first, last := median(taken[:n], of), median(taken[len(taken)-n:], of)
	return Thirds{First: first, Last: last, Bound: first*growth + spare}
}

func median(taken []sample, of func(sample) float64) float64 {
	if len(taken) == 0 {
		return 0
	}
	var values []float64
	for _, s := range taken {
		values = append(values, of(s))
	}
	slices.Sort(values)
	return values[len(values)/2]
}

// Err is nil if everything is as it must be.
func (v Verdict) Err() error {
	var wrong []string
	if v.Samples < 6 {
		wrong = append(wrong, fmt.Sprintf("only %d samples", v.Samples))
	}
	if !v.Memory.Flat() {
		wrong = append(wrong, "memory grows")
	}
	if !v.Files.Flat() {
		wrong = append(wrong, "files grow")
	}
	if v.Overcome < v.Kills {
		wrong = append(wrong, fmt.Sprintf("the backlog of %d kills was not worked off before the next", v.Kills-v.Overcome))
	}
	if v.Output == nil || v.Output.Err() != nil {
		wrong = append(wrong, "the output is not exact")
	}
	if len(wrong) > 0 {
		return fmt.Errorf("soak: %s", strings.Join(wrong, "; "))
	}
	return nil
}

// String is a report of a few lines.
func (v Verdict) String() string {
	var b strings.Builder
	word := map[bool]string{true: "flat", false: "GROWS"}
	fmt.Fprintf(&b, "%d kills, %d samples; medians of the first and the last third:\n", v.Kills, v.Samples)
	fmt.Fprintf(&b, "memory  %.0f MB, %.0f MB (bound %.0f): %s\n", v.Memory.First/(1<<20), v.Memory.Last/(1<<20), v.Memory.Bound/(1<<20), word[v.Memory.Flat()])
	fmt.Fprintf(&b, "files   %.0f, %.0f (bound %.0f): %s\n", v.Files.First, v.Files.Last, v.Files.Bound, word[v.Files.Flat()])
	fmt.Fprintf(&b, "backlog at most %d records; worked off to %v of load after %d of %d kills, in %v at the longest\n",
		v.MaxLag, overcome, v.Overcome, v.Kills, v.Slowest.Round(100*time.Millisecond))
	if v.Output != nil {
		fmt.Fprintf(&b, "output  %v\n", v.Output)
	}
	if err := v.Err(); err != nil {
		fmt.Fprintf(&b, "verdict: FAILED, %v\n", err)
	} else {
		b.WriteString("verdict: passed\n")
	}
	return b.String()
}
