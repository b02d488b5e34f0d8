package worker

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/millrace/millrace/processor/internal/commit"
	"github.com/millrace/millrace/processor/internal/graph"
	"github.com/millrace/millrace/processor/internal/group"
	"github.com/millrace/millrace/processor/internal/planted"
	"github.com/millrace/millrace/processor/internal/restore"
	"github.com/millrace/millrace/state"
)

// faulty runs counting against a broker that misbehaves once in a commit, and
// checks the results after a restart from nothing.
func faulty(t *testing.T, f kfake.Fault) (aborts, unknowns int) {
	t.Helper()
	c := newCluster(t, 2, "in", "out")
	first := rows(2, 40, 3)
	c.load(first...)
	w := newWitness(t)
	p := start(t, c.config(counting(t, graph.ErrorPolicy{}), state.NewMemory(), w))
	w.wait(t, "a commit", func() bool { return w.commits > 0 })
	h := c.Fault(f)
	second := rows(2, 40, 3)
	c.load(second...)
	c.output("out", len(first)+len(second))
	p.end()
	if h.Hits() == 0 {
		t.Fatal("the fault was never met")
	}
	third := rows(2, 10, 3)
	c.load(third...)
	p = start(t, c.config(counting(t, graph.ErrorPolicy{}), state.NewMemory(), newWitness(t)))
	c.checkCounts(append(append(first, second...), third...))
	p.end()
	return w.aborts, w.unknowns
}

// G1: a changelog record that was not written aborts the transaction.
func TestFailedProduceAborts(t *testing.T) {
	t.Parallel()
	aborts, _ := faulty(t, kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: "app-counts-changelog", Err: kerr.UnknownServerError})
	if aborts == 0 {
		t.Error("nothing was aborted")
	}
}

// An offset commit that is refused is undone cleanly.
func TestRefusedOffsetsAbort(t *testing.T) {
	t.Parallel()
	for _, e := range []*kerr.Error{kerr.IllegalGeneration, kerr.RebalanceInProgress, kerr.UnknownMemberID} {
		t.Run(e.Message, func(t *testing.T) {
			aborts, unknowns := faulty(t, kfake.Fault{Keys: []kmsg.Key{kmsg.TxnOffsetCommit}, Err: e})
			if aborts == 0 || unknowns > 0 {
				t.Errorf("%d aborts, %d unknown", aborts, unknowns)
			}
		})
	}
}

// G7: an end of a transaction that may have happened or not is found out.
func TestUnknownOutcome(t *testing.T) {
	t.Parallel()
	_, unknowns := faulty(t, kfake.Fault{Keys: []kmsg.Key{kmsg.EndTxn}, TopLevel: true, Err: kerr.UnknownServerError})
	if unknowns == 0 {
		t.Error("no outcome was unknown")
	}
}

// A member that is thrown out gives everything up and starts over.
func TestEviction(t *testing.T) {
	t.Parallel()
	aborts, _ := faulty(t, kfake.Fault{Keys: []kmsg.Key{kmsg.Heartbeat}, Err: kerr.UnknownMemberID})
	t.Logf("%d aborts", aborts)
}

// G2: a commit under another name than that of the assignment is refused before
// the broker, which would take it, is asked.
func TestLapsedOwnership(t *testing.T) {
	old, now := group.Identity{Member: "a", Generation: 3, Losses: 0}, group.Identity{Member: "a", Generation: 4, Losses: 0}
	for _, tt := range []struct {
		name     string
		owner    group.Identity
		who      group.Identity
		accepted bool
	}{
		{"same", old, old, true},
		{"a rebalance later", old, now, true},
		{"silently rejoined", old, group.Identity{Member: "b", Generation: 4, Losses: 0}, false},
		{"lost in between", old, group.Identity{Member: "a", Generation: 4, Losses: 1}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := &Worker{leases: leases{all: []*lease{{TaskState: restore.TaskState{Owner: tt.owner}}}}}
			b := &commit.WorkerCommit{Who: tt.who, Parts: make([]commit.TaskCommit, 1)}
			if err := w.lapsed(b); (err == nil) != tt.accepted {
				t.Errorf("lapsed: %v", err)
			}
			w.cfg.Faults.NoG2 = true
			if off := w.lapsed(b) == nil; off != (planted.On || tt.accepted) {
				t.Errorf("the guard can be switched off where bugs may be planted, and only there: %v", off)
			}
		})
	}
}

// Two processes with one transactional id fence each other; the one that
// notices stops and says why.
func TestTwin(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 1, "in", "out")
	storage := state.NewMemory()
	w := newWitness(t)
	p := start(t, c.config(counting(t, graph.ErrorPolicy{}), storage, w))
	c.load(row{0, "a", "1"})
	w.wait(t, "a commit", func() bool { return w.commits > 0 })
	for range 10 {
		twin := c.client(kgo.TransactionalID("app-" + storage.ProcessID() + "-0-0"))
		if _, _, err := twin.ProducerID(context.Background()); err != nil {
			t.Fatal(err)
		}
		c.load(row{0, "a", "2"})
		select {
		case err := <-p.done:
			if err == nil || !strings.Contains(err.Error(), "another process uses transactional id") {
				t.Fatalf("the worker ended with %v", err)
			}
			return
		case <-time.After(300 * time.Millisecond):
		}
	}
	t.Fatal("the worker goes on although it is fenced again and again")
}

// Nothing to commit is no transaction, and offsets alone need none.
func TestIdle(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 1, "in", "out")
	ends := c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.EndTxn, kmsg.TxnOffsetCommit}, Observe: true, Count: -1})
	plain := c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.OffsetCommit}, Observe: true, Count: -1})
	w := newWitness(t)
	p := start(t, c.config(passing(t), state.NewMemory(), w))
	w.wait(t, "the start", func() bool { return len(w.restored) == 1 })
	time.Sleep(200 * time.Millisecond)
	w.locked(func() {
		if w.commits > 0 {
			t.Errorf("%d commits with nothing to do", w.commits)
		}
	})
	c.load(row{0, "a", "drop"})
	w.wait(t, "a commit", func() bool { return w.commits == 1 })
	p.end()
	if ends.Hits() > 0 || plain.Hits() != 1 {
		t.Errorf("%d transactional requests and %d offset commits, want 0 and 1", ends.Hits(), plain.Hits())
	}
}

// A sink that has fewer partitions than it had ends the worker: where its records go
// was decided by their number. Until then it says that commits are repeated.
func TestASinkWithFewerPartitions(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 2, "in", "out")
	w := newWitness(t)
	cfg := c.config(counting(t, graph.ErrorPolicy{}), state.NewMemory(), w)
	var repeating atomic.Int64
	cfg.Events.Repeating = func(n int) { repeating.Store(int64(n)) }
	p := start(t, cfg)
	c.load(row{0, "a", "1"}, row{1, "b", "1"})
	c.output("out", 2)
	admin := kadm.NewClient(c.client())
	if _, err := admin.DeleteTopic(t.Context(), "out"); err != nil {
		t.Fatal(err)
	}
	if _, err := admin.CreateTopic(t.Context(), 1, 1, nil, "out"); err != nil {
		t.Fatal(err)
	}
	c.load(rows(2, 20, 9)...) // keys of both partitions
	if err := p.wait(); err == nil || !strings.Contains(err.Error(), `topic "out" has 1 partitions, and had 2`) {
		t.Errorf("the worker ended with %v", err)
	}
	if repeating.Load() <= undonePatience {
		t.Errorf("%d commits in a row were undone, it said", repeating.Load())
	}
}
