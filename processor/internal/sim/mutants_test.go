//go:build synctests && planted

package sim

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace/processor/internal/worker"
)

// Limits of TestMutants.
const (
	mutantSeeds   = 2000 // within which random seeds must find a bug
	rareSeeds     = 50   // a bug found later than that needs a directed scenario
	directedSeeds = 20   // within which that must find it
)

// A mutant is one planted bug.
type mutant struct {
	name   string
	plant  func(*worker.Faults)
	direct *scenario // nil if random seeds suffice
}

// mutants are all bugs the worker can be given.
func mutants() []mutant {
	byName := map[string]*scenario{}
	for _, s := range scenarios() {
		byName[s.name] = s
	}
	return []mutant{
		{"ApplyBeforeCommit", func(f *worker.Faults) { f.ApplyBeforeCommit = true }, nil},
		{"UnknownAsCommitted", func(f *worker.Faults) { f.UnknownAsCommitted = true }, nil},
		{"NoRestore", func(f *worker.Faults) { f.NoRestore = true }, nil},
		{"KeepOverlay", func(f *worker.Faults) { f.KeepOverlay = true }, nil},
		{"NoG1", func(f *worker.Faults) { f.NoG1 = true }, byName["oneRecordRefused"]},
		{"NoG2", func(f *worker.Faults) { f.NoG2 = true }, byName["silentRejoin"]},
		{"NoG3", func(f *worker.Faults) { f.NoG3 = true }, byName["busyRejoin"]},
		{"RestoreToLSO", func(f *worker.Faults) { f.RestoreToLSO = true }, byName["transactionAtTail"]},
		{"NoWatermark", func(f *worker.Faults) { f.NoWatermark = true }, nil},
		{"CommitPolled", func(f *worker.Faults) { f.CommitPolled = true }, nil},
		{"TimerWithoutOffsets", func(f *worker.Faults) { f.TimerWithoutOffsets = true }, byName["zombieFires"]},
		{"SendEarly", func(f *worker.Faults) { f.SendEarly = true }, nil},
		{"CommitBehind", func(f *worker.Faults) { f.CommitBehind = true }, nil},
		{"HeartbeatOutside", func(f *worker.Faults) { f.HeartbeatOutside = true }, nil},
		{"IdleByTimer", func(f *worker.Faults) { f.Planted.IdleByTimer = true }, byName["unreadable"]},
		{"StampAfter", func(f *worker.Faults) { f.Planted.StampAfter = true }, nil},
		{"EdgeForgotten", func(f *worker.Faults) { f.Planted.EdgeForgotten = true }, nil},
		{"FiredTwice", func(f *worker.Faults) { f.Planted.FiredTwice = true }, nil},
		{"InfiniteTime", func(f *worker.Faults) { f.Planted.InfiniteTime = true }, nil},
		{"StateKept", func(f *worker.Faults) { f.Planted.StateKept = true }, nil},
		{"OutputsKept", func(f *worker.Faults) { f.Planted.OutputsKept = true }, nil},
	}
}

// TestMutants plants one bug after the other and counts the seeds it takes to
// find it. MUTANT chooses some by name; what is found by a directed scenario
// must also be absent without the bug.
func TestMutants(t *testing.T) {
	chosen := os.Getenv("MUTANT")
	from := number64(t, "FROM", defaultFrom)
	fmt.Printf("%d mutants\n", len(mutants()))
	for _, m := range mutants() {
		if chosen != "" && !strings.Contains(chosen, m.name) {
			continue
		}
		var planted worker.Faults
		m.plant(&planted)
		t.Run(m.name, func(t *testing.T) {
			random := hunt(t, "random", from, limit(m), func(seed uint64) (Options, func(*sim)) { return draw(seed), nil }, planted)
			if m.direct != nil {
				absent(t, m)
				directed := hunt(t, "directed", from, directedSeeds, m.direct.draw, planted)
				if directed == 0 {
					t.Errorf("the directed scenario did not find it in %d seeds", directedSeeds)
				}
				return
			}
			if random == 0 || random > rareSeeds {
				t.Errorf("random seeds find it more seldom than 1 in %d, and there is no directed scenario", rareSeeds)
			}
		})
	}
}

// limit is how many random seeds a bug is hunted for. One that has a directed
// scenario may be rare.
func limit(m mutant) int {
	if m.direct == nil {
		return rareSeeds
	}
	if n, err := strconv.Atoi(os.Getenv("SEEDS")); err == nil {
		return n
	}
	return mutantSeeds
}

// hunt runs seeds until one has a violation and returns how many it took; 0 if
// none had.
func hunt(t *testing.T, how string, from, seeds int, draw func(uint64) (Options, func(*sim)), planted worker.Faults) int {
	began := time.Now()
	for n := range seeds {
		o, script := draw(uint64(from + n))
		r := simulate(t, o, planted, script)
		if len(r.violations) == 0 {
			continue
		}
		fmt.Printf("mutant %-20s %-8s found after %4d seeds, %v: %s\n", mutantName(t), how, n+1, time.Since(began).Round(time.Millisecond), r.violations[0])
		return n + 1
	}
	fmt.Printf("mutant %-20s %-8s not found in %d seeds, %v\n", mutantName(t), how, seeds, time.Since(began).Round(time.Millisecond))
	return 0
}

func mutantName(t *testing.T) string {
	_, name, _ := strings.Cut(t.Name(), "/")
	return name
}

// absent sees that the directed scenario comes out without a violation when
// there is no bug: otherwise it would find anything.
func absent(t *testing.T, m mutant) {
	for seed := range directedSeeds {
		o, script := m.direct.draw(uint64(seed + 1))
		if r := simulate(t, o, worker.Faults{}, script); len(r.violations) > 0 {
			t.Errorf("without the bug, %s", report(t, r))
			return
		}
	}
}
