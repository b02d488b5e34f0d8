//go:build planted

package task_test

import (
	"fmt"
	"testing"

	"github.com/millrace/millrace/processor/internal/task"
)

// bugSeeds is within how many worlds a planted bug must be found.
const bugSeeds = 300

// TestTimeAtRandomFindsBugs plants one bug after the other.
func TestTimeAtRandomFindsBugs(t *testing.T) {
	for name, planted := range map[string]task.Planted{
		"IdleByTimer":   {IdleByTimer: true},
		"StampAfter":    {StampAfter: true},
		"EdgeForgotten": {EdgeForgotten: true},
		"FiredTwice":    {FiredTwice: true},
		"InfiniteTime":  {InfiniteTime: true},
		"HeldBlocks":    {HeldBlocks: true},
		"WallSpans":     {WallSpans: true},
		"MarkerTrusted": {MarkerTrusted: true},
	} {
		found := ""
		for seed := 1; seed <= bugSeeds && found == ""; seed++ {
			if _, wrong := live(uint64(seed), planted); len(wrong) > 0 {
				found = fmt.Sprintf("seed %d: %s", seed, wrong[0])
			}
		}
		if found == "" {
			t.Errorf("%s is not found in %d seeds", name, bugSeeds)
		}
		t.Logf("%s is found by %s", name, found)
	}
}
