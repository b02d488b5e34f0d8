package task_test

import (
	"os"
	"strconv"
	"testing"

	"github.com/millrace/millrace/processor/internal/task"
)

// How many worlds TestTimeAtRandom looks at, unless SEEDS and FROM say otherwise.
const (
	worldSeeds  = 100
	worldRounds = 150
)

// live runs the world of a seed from its beginning to its end and returns what was
// wrong in it.
func live(seed uint64, planted task.Planted) (plan, []string) {
	w := newWorld(seed, planted)
	if w.plan.mode == bounded {
		for range worldRounds {
			w.produce()
		}
		w.begin()
	} else {
		w.begin()
	}
	for n := 0; n < worldRounds && len(w.violations) == 0; n++ {
		if w.plan.mode == bounded {
			w.elapsed += 50
		} else {
			w.produce()
		}
		w.turn(true)
	}
	if len(w.violations) == 0 {
		w.close()
		w.judge()
	}
	return w.plan, w.violations
}

func fromEnv(t *testing.T, name string, otherwise int) int {
	text, set := os.LookupEnv(name)
	if !set {
		return otherwise
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatalf("%s=%q: %v", name, text, err)
	}
	return n
}

// TestTimeAtRandom: quiet spells, inputs that cannot be read, outdated answers,
// clocks that are set, inputs that run ahead, aborts and restores, in any order.
// Time does not go back, nothing fires twice, nothing is lost, nothing is late
// that was on time, and at the end everything is there. To see one seed again:
//
//	SEEDS=1 FROM=<seed> go test -run TestTimeAtRandom ./processor/internal/task
func TestTimeAtRandom(t *testing.T) {
	from := fromEnv(t, "FROM", 1)
	for n := range fromEnv(t, "SEEDS", worldSeeds) {
		seed := from + n
		if plan, wrong := live(uint64(seed), task.Planted{}); len(wrong) > 0 {
			t.Errorf("seed %d, %+v: %s (and %d more)", seed, plan, wrong[0], len(wrong)-1)
		}
	}
}
