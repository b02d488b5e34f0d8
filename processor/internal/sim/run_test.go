//go:build synctests

package sim

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/millrace/millrace/processor/internal/worker"
)

// Defaults of TestSim.
const (
	defaultSeeds = 5
	defaultFrom  = 1
	// traceShown is how many of the last events are printed with a violation.
	// The variable TRACE names a directory for all of them.
	traceShown = 40
)

func number64(t *testing.T, name string, fallback int) int {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return fallback
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 {
		t.Fatalf("%s=%q is not a number", name, text)
	}
	return n
}

// TestSim runs SEEDS simulated clusters, beginning with seed FROM. Each must
// come out without a violation.
func TestSim(t *testing.T) {
	seeds, from := number64(t, "SEEDS", defaultSeeds), number64(t, "FROM", defaultFrom)
	sum := newTotals()
	t.Run("seeds", func(t *testing.T) {
		for seed := from; seed < from+seeds; seed++ {
			t.Run(strconv.Itoa(seed), func(t *testing.T) {
				t.Parallel()
				r := simulate(t, draw(uint64(seed)), worker.Faults{}, nil)
				sum.add(r)
				if len(r.violations) > 0 {
					t.Errorf("%s", report(t, r))
				}
			})
		}
	})
	fmt.Println(sum)
	for _, note := range sum.stats.topNotes(number64(t, "NOTES", 0)) {
		fmt.Println(note)
	}
}

// A totals adds up the results of many runs.
type totals struct {
	mu       sync.Mutex
	began    time.Time
	seeds    int
	violated int
	virtual  time.Duration
	stats    *stats
}

func newTotals() *totals { return &totals{began: time.Now(), stats: newStats()} }

func (s *totals) add(r result) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seeds++
	if len(r.violations) > 0 {
		s.violated++
	}
	s.virtual += r.virtual
	s.stats.add(r.stats)
}

func (s *totals) String() string {
	return "sim: " + s.stats.line(s.seeds, s.violated, s.virtual, time.Since(s.began))
}

// report is all that is known about a run with violations.
func report(t *testing.T, r result) string {
	var b strings.Builder
	fmt.Fprintf(&b, "seed %d violates:\n", r.opt.Seed)
	for _, v := range r.violations {
		fmt.Fprintf(&b, "  %s\n", v)
	}
	fmt.Fprintf(&b, "options: %s\n", r.opt)
	if dir := os.Getenv("TRACE"); dir != "" {
		file := filepath.Join(dir, fmt.Sprintf("trace-%d.txt", r.opt.Seed))
		if err := os.WriteFile(file, []byte(strings.Join(r.trace, "\n")+"\n"), 0o644); err != nil {
			t.Error(err)
		}
		fmt.Fprintf(&b, "trace: %s\n", file)
		return b.String()
	}
	b.WriteString("the last events:\n")
	for _, line := range r.trace[max(0, len(r.trace)-traceShown):] {
		fmt.Fprintf(&b, "  %s\n", line)
	}
	return b.String()
}

// TestScenarios runs the directed scenarios, which the bugs they are made for
// must not survive, without any bug: SEEDS of each, beginning with seed FROM.
func TestScenarios(t *testing.T) {
	seeds, from := number64(t, "SEEDS", defaultSeeds), number64(t, "FROM", defaultFrom)
	for _, s := range scenarios() {
		t.Run(s.name, func(t *testing.T) {
			sum := newTotals()
			for seed := from; seed < from+seeds; seed++ {
				o, script := s.draw(uint64(seed))
				r := simulate(t, o, worker.Faults{}, script)
				sum.add(r)
				if len(r.violations) > 0 {
					t.Errorf("%s", report(t, r))
				}
			}
			fmt.Println(s.name, sum)
		})
	}
}
