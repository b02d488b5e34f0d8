package worker

import (
	"testing"

	"github.com/millrace/millrace/processor/internal/commit"
	"github.com/millrace/millrace/processor/internal/graph"
	"github.com/millrace/millrace/state"
)

func bounded(t *testing.T, c *cluster, run string, s state.Storage) (Config, *witness) {
	w := newWitness(t)
	cfg := c.config(counting(t, graph.ErrorPolicy{}), s, w)
	cfg.Bounded = &BoundedRun{Run: run}
	return cfg, w
}

// A bounded run ends by itself, once for all.
func TestBoundedRun(t *testing.T) {
	c := newCluster(t, 3, "in", "out")
	input := rows(2, 40, 3) // partition 2 is empty
	c.load(input...)
	storage := state.NewMemory()
	cfg, _ := bounded(t, c, "r1", storage)
	if err := start(t, cfg).wait(); err != nil {
		t.Fatal(err)
	}
	c.checkCounts(input)

	for _, s := range []state.Storage{storage, state.NewMemory()} {
		cfg, w := bounded(t, c, "r1", s)
		if err := start(t, cfg).wait(); err != nil {
			t.Fatalf("the same run again: %v", err)
		}
		if w.commits > 0 {
			t.Error("the same run again committed something")
		}
	}
	cfg, _ = bounded(t, c, "r2", storage)
	mustFail(t, cfg, `bounded run "r1"`, "start the application over")
	mustFail(t, c.config(counting(t, graph.ErrorPolicy{}), storage, newWitness(t)), `bounded run "r1"`, "start the application over")

	c.load(row{0, "a", "later"})
	cfg, _ = bounded(t, c, "r1", storage)
	mustFail(t, cfg, `bounded run "r1"`, "gone on", "start the application over")
	c.checkCounts(input)
}

// The end of a partition is where it was when the run first looked at it, also
// after crashes and for other workers.
func TestBoundedEndIsFixedOnce(t *testing.T) {
	c := newCluster(t, 2, "in", "out")
	input := rows(2, 100, 3)
	c.load(input...)
	storage := state.NewMemory()
	cfg, w := bounded(t, c, "r1", storage)
	cfg.CommitRecords = 20
	commits := 0
	cfg.Faults.At = func(s Step) {
		if s == commit.AfterEnd {
			both := false
			w.locked(func() { both = len(w.restored) == 2 }) // it has looked at both partitions
			if commits++; commits >= 3 && both {
				panic(errCrash)
			}
		}
	}
	if err := start(t, cfg).wait(); err != errCrash {
		t.Fatal(err)
	}
	c.load(rows(2, 50, 3)...) // after the end
	one, _ := bounded(t, c, "r1", storage)
	two, _ := bounded(t, c, "r1", state.NewMemory())
	a, b := start(t, one), start(t, two)
	if err := a.wait(); err != nil {
		t.Error(err)
	}
	if err := b.wait(); err != nil {
		t.Error(err)
	}
	c.checkCounts(input)
}

func TestBoundedOnNothing(t *testing.T) {
	c := newCluster(t, 2, "in", "out")
	cfg, _ := bounded(t, c, "r1", state.NewMemory())
	if err := start(t, cfg).wait(); err != nil {
		t.Fatal(err)
	}
	c.output("out", 0)
}
