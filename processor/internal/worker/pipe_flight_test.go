package worker

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/millrace/millrace/processor/internal/commit"
	"github.com/millrace/millrace/processor/internal/graph"
	"github.com/millrace/millrace/processor/internal/restore"
	"github.com/millrace/millrace/processor/internal/task"
	"github.com/millrace/millrace/state"
)

// An exposed storage shows the stores it has opened last.
type exposed struct {
	state.Storage
	stores *state.Stores
}

func (e *exposed) Open(name string, id state.Identity, specs []state.Spec) (s *state.Stores, err error) {
	e.stores, err = e.Storage.Open(name, id, specs)
	return e.stores, err
}

// A state that cannot take A is read back, and not before B, which is on its way,
// is decided: else the task would go on behind A and repeat B.
func TestMendWaitsForThePipe(t *testing.T) { mending(t, 0) }

// What was fetched before the state was read back is not for the new task: it
// begins at the last commit, and has all of it fetched again.
func TestMendForgetsWhatWasFetched(t *testing.T) { mending(t, 10) }

func mending(t *testing.T, turnRecords int) {
	t.Helper()
	c := newCluster(t, 1, "in", "out")
	input := rows(1, 200, 5)
	c.load(input...)
	storage := &exposed{Storage: state.NewMemory()}
	cfg := c.config(counting(t, graph.ErrorPolicy{}), storage, newWitness(t))
	cfg.CommitRecords, cfg.TurnRecords = 10, turnRecords
	var seen [commit.StepCount]atomic.Int32
	written, mended := make(chan struct{}), make(chan struct{})
	restored, tell := 0, cfg.Events.TaskRestored
	cfg.Events.TaskRestored = func(id task.ID, r restore.Restoration) {
		tell(id, r)
		if restored++; restored == 2 {
			close(mended)
		}
	}
	cfg.Faults.At = func(s Step) {
		switch n := seen[s].Add(1); {
		case s == commit.AfterOffsets && n == 1:
			<-written
		case s == commit.AfterFlush && n == 2:
			close(written)
			select {
			case <-mended:
			case <-time.After(500 * time.Millisecond): // nobody does, as it should be
			}
		case s == commit.AfterEnd && n == 1:
			_ = storage.stores.Close(false) // fails what is about to be applied
		}
	}
	p := start(t, cfg)
	c.checkCounts(input)
	p.end()
	if restored != 2 {
		t.Errorf("the state was restored %d times, want 2", restored)
	}
}

// A stop in the middle of an outage finds a producer without a client, and tasks
// that have something to commit all the same.
func TestStopWhileAProducerIsReplaced(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 2, "in", "out")
	ends := c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.EndTxn}, TopLevel: true, Err: kerr.UnknownServerError})
	w := newWitness(t)
	cfg := c.config(passing(t), state.NewMemory(), w)
	transactional := func(r kmsg.Request) bool { return r.(*kmsg.InitProducerIDRequest).TransactionalID != nil }
	cfg.CommitInterval, cfg.TransactionTimeout, cfg.CommitRecords = 20*time.Second, time.Minute, 10
	held, resume := make(chan struct{}), make(chan struct{})
	var outage *kfake.FaultHandle
	var once atomic.Bool
	cfg.Faults.At = func(s Step) {
		if s == commit.AfterOffsets && once.CompareAndSwap(false, true) {
			outage = c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.InitProducerID}, TopLevel: true, Err: kerr.UnknownServerError, Count: -1, When: transactional})
			close(held)
			<-resume
		}
	}
	aborted := cfg.Events.Aborted
	cfg.Events.Aborted = func(err error) {
		aborted(err)
		outage.Remove()
	}
	p := start(t, cfg)
	w.wait(t, "the start", func() bool { return len(w.restored) == 2 })
	c.load(rows(1, 20, 1)...) // two commits
	<-held
	c.load(row{1, "b", "x"})
	fetched := c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Fetch}, Observe: true, Count: -1})
	for from := fetched.Hits(); fetched.Hits() < from+4; { // the record has come, and been processed
		time.Sleep(time.Millisecond)
	}
	close(resume)
	w.wait(t, "an unknown outcome", func() bool { return w.unknowns > 0 })
	if ends.Hits() == 0 {
		t.Fatal("the fault was never met")
	}
	p.end()
}

// Drain bounds a stop from the moment it is asked for, also where the worker
// waits for a commit then.
func TestDrainCountsFromTheStop(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 1, "in", "out")
	c.load(rows(1, 100, 5)...)
	cfg := c.config(counting(t, graph.ErrorPolicy{}), state.NewMemory(), newWitness(t))
	cfg.CommitRecords, cfg.Drain = 10, 100*time.Millisecond
	stuck := c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.TxnOffsetCommit}, Err: kerr.ConcurrentTransactions, Count: -1})
	written := make(chan struct{})
	var n atomic.Int32
	cfg.Faults.At = func(s Step) {
		if s == commit.AfterFlush && n.Add(1) == 2 {
			close(written)
		}
	}
	p := start(t, cfg)
	<-written
	for from := stuck.Hits(); stuck.Hits() < from+20; { // by now the worker waits for room in the pipeline
		time.Sleep(time.Millisecond)
	}
	p.end()
}
