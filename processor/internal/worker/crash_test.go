package worker

import (
	"fmt"
	"testing"
	"time"

	"github.com/millrace/millrace/processor/internal/graph"
	"github.com/millrace/millrace/processor/internal/task"
	"github.com/millrace/millrace/state"
)

// A worker that dies at any step of a commit loses nothing and repeats nothing,
// and its successor on the same storage does not wait for its session.
func TestCrash(t *testing.T) {
	for step := range StepCount {
		t.Run(step.String(), func(t *testing.T) {
			c := newCluster(t, 2, "in", "out")
			input := rows(2, 300, 5)
			c.load(input...)
			storage := state.NewMemory()
			for crash := range 3 {
				w := newWitness(t)
				cfg := c.config(counting(t, graph.ErrorPolicy{}), storage, w)
				cfg.CommitRecords = 50
				countdown := 2 + crash
				cfg.Faults.At = func(s Step) {
					if s == step {
						if countdown--; countdown == 0 {
							panic(errCrash)
						}
					}
				}
				if err := start(t, cfg).wait(); err != errCrash {
					t.Fatalf("the worker ended with %v", err)
				}
			}
			w := newWitness(t)
			began := time.Now()
			p := start(t, c.config(counting(t, graph.ErrorPolicy{}), storage, w))
			w.wait(t, "the restart", func() bool { return len(w.restored) == 2 })
			if waited := time.Since(began); waited > 5*time.Second {
				t.Errorf("the restart took %v: it waited for the dead one's session", waited)
			}
			c.checkCounts(input)
			p.end()
		})
	}
}

// Without its local state a worker reads everything from the changelogs.
func TestRestoreFromNothing(t *testing.T) {
	c := newCluster(t, 2, "in", "out")
	input := rows(2, 100, 5)
	c.load(input...)
	w := newWitness(t)
	p := start(t, c.config(counting(t, graph.ErrorPolicy{}), state.NewMemory(), w))
	c.output("out", len(input))
	p.end()

	more := rows(2, 100, 5)
	c.load(more...)
	w = newWitness(t)
	p = start(t, c.config(counting(t, graph.ErrorPolicy{}), state.NewMemory(), w))
	c.checkCounts(append(input, more...))
	w.locked(func() {
		for p := range int32(2) {
			if r := w.restored[task.ID{Partition: p}]; r.Records < 5 {
				t.Errorf("partition %d: restored %+v, want the 5 keys at least", p, r)
			}
		}
	})
	p.end()
}

// With its local state a worker reads next to nothing.
func TestRestartReadsTheTailOnly(t *testing.T) {
	c := newCluster(t, 2, "in", "out")
	c.load(rows(2, 100, 5)...)
	storage := state.NewMemory()
	w := newWitness(t)
	p := start(t, c.config(counting(t, graph.ErrorPolicy{}), storage, w))
	c.output("out", 200)
	p.end()
	w = newWitness(t)
	p = start(t, c.config(counting(t, graph.ErrorPolicy{}), storage, w))
	w.wait(t, "the restart", func() bool { return len(w.restored) == 2 })
	w.locked(func() {
		for id, r := range w.restored {
			if r.Records != 0 || r.Rebuilt {
				t.Errorf("task %v: restored %+v, want nothing", id, r)
			}
		}
	})
	p.end()
}

// Several workers share the partitions, come and go, and the result is the same.
func TestRebalance(t *testing.T) {
	c := newCluster(t, 6, "in", "out")
	var input []row
	var running []*process
	for i := range 4 {
		batch := rows(6, 60, 4)
		input = append(input, batch...)
		w := newWitness(t)
		cfg := c.config(counting(t, graph.ErrorPolicy{}), state.NewMemory(), w)
		cfg.Index = i
		running = append(running, start(t, cfg))
		w.wait(t, fmt.Sprintf("the start of worker %d", i), func() bool { return len(w.restored) > 0 })
		c.load(batch...)
	}
	running[0].end()
	running[2].end()
	batch := rows(6, 60, 4)
	input = append(input, batch...)
	c.load(batch...)
	c.checkCounts(input)
	running[1].end()
	running[3].end()
}
