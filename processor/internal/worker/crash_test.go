package worker

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/millrace/millrace/processor/internal/commit"
	"github.com/millrace/millrace/processor/internal/graph"
	"github.com/millrace/millrace/processor/internal/task"
	"github.com/millrace/millrace/state"
)

// A worker that dies at any step of a commit loses nothing and repeats nothing,
// and its successor on the same storage does not wait for its session.
func TestCrash(t *testing.T) {
	t.Parallel()
	for step := range commit.StepCount {
		t.Run(step.String(), func(t *testing.T) {
			c := newCluster(t, 2, "in", "out")
			input := rows(2, 500, 5) // what is in the pipeline behind the crash may commit, too
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

// With at-least-once a crash repeats results and loses none; and what the state
// has counted is not counted again once its position was written.
func TestCrashAtLeastOnce(t *testing.T) {
	t.Parallel()
	for _, step := range []Step{commit.BeforePrepare, commit.BeforeFlush, commit.AfterFlush, commit.AfterOffsets, commit.AfterEnd, commit.AfterApply} {
		t.Run(step.String(), func(t *testing.T) {
			c := newCluster(t, 1, "in", "out")
			input := rows(1, 450, 3)
			c.load(input...)
			storage := state.NewMemory()
			for crash := range 4 {
				cfg := c.config(counting(t, graph.ErrorPolicy{}), storage, newWitness(t))
				cfg.Guarantee, cfg.CommitRecords = AtLeastOnce, 30
				countdown := 2
				cfg.Faults.At = func(s Step) {
					if s == step && crash < 3 {
						if countdown--; countdown == 0 {
							panic(errCrash)
						}
					}
				}
				p := start(t, cfg)
				if crash < 3 {
					if err := p.wait(); err != errCrash {
						t.Fatal(err)
					}
					continue
				}
				c.checkNothingIsLost(input)
				p.end()
			}
		})
	}
}

// checkNothingIsLost reads results until each input record has one.
func (c *cluster) checkNothingIsLost(input []row) {
	c.t.Helper()
	cl := c.client(kgo.ConsumeTopics("out"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	seen := map[string]bool{}
	for len(seen) < len(input) && ctx.Err() == nil {
		for _, r := range cl.PollFetches(ctx).Records() {
			_, offset, _ := strings.Cut(string(r.Value), ":")
			seen[offset] = true
		}
	}
	if len(seen) != len(input) {
		c.t.Errorf("results of %d records, want %d", len(seen), len(input))
	}
}

// Without its local state a worker reads everything from the changelogs.
func TestRestoreFromNothing(t *testing.T) {
	t.Parallel()
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
	t.Parallel()
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
	t.Parallel()
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
