package worker

import (
	"strings"
	"sync"
	"testing"

	"github.com/millrace/millrace/processor/internal/graph"
	"github.com/millrace/millrace/processor/internal/task"
	"github.com/millrace/millrace/state"
)

// A gatedStorage opens the state of one task at once and that of the others once
// the gate is open.
type gatedStorage struct {
	state.Storage
	first string
	gate  chan struct{}
}

func (s *gatedStorage) Open(name string, id state.Identity, specs []state.Spec) (*state.Stores, error) {
	if name != s.first {
		<-s.gate
	}
	return s.Storage.Open(name, id, specs)
}

// careless are records for four tasks, of which two in a row fail in each.
func careless() (all []row, bad int) {
	all = rows(4, 200, 7)
	for i := range all {
		if k := i / 4 % 10; k == 5 || k == 6 {
			all[i].value = "poison"
			bad++
		}
	}
	return all, bad
}

func (w *witness) replays() (n int) {
	w.locked(func() {
		for _, line := range w.log {
			if strings.HasPrefix(line, "poisoned") {
				n++
			}
		}
	})
	return n
}

// What fails in one task is likely to come to the others: one replay is enough for
// all of a worker, whether they run already or their state is still on its way.
func TestAFailureMakesAllTasksCareful(t *testing.T) {
	t.Parallel()
	for _, others := range []string{"running", "being restored"} {
		t.Run(others, func(t *testing.T) {
			c := newCluster(t, 4, "in", "out", "dead")
			all, bad := careless()
			w := newWitness(t)
			gate := make(chan struct{})
			open := sync.OnceFunc(func() { close(gate) })
			cfg := c.config(counting(t, graph.ErrorPolicy{OnError: graph.DeadLetter, Topic: "dead"}), &gatedStorage{state.NewMemory(), "0_0", gate}, w)
			noted := cfg.Events.Poisoned
			cfg.Events.Poisoned = func(p task.Poison) { noted(p); open() }
			if others == "running" {
				open()
			} else {
				c.load(all...)
			}
			p := start(t, cfg)
			if others == "running" {
				w.wait(t, "four tasks are restored", func() bool { return len(w.restored) == 4 })
				c.load(all...)
			}
			c.output("dead", bad)
			p.end()
			if n := w.replays(); n != 1 {
				t.Errorf("%d replays, want one for the worker", n)
			}
		})
	}
}
