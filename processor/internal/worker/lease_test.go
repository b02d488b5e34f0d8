package worker

import (
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/millrace/millrace/processor/internal/partitioner"
	"github.com/millrace/millrace/processor/internal/task"
)

func mergingLease(t *testing.T) *lease {
	t.Helper()
	g := merging(t)
	l := newLease(task.ID{}, g.Subtopologies()[0], identity{})
	cfg := task.Config{Subtopology: l.sub, Partitions: map[string]int32{"out": 1}, Partition: partitioner.New(), Tasks: 1, MaxIdle: -1}
	for _, in := range l.inputs {
		cfg.Inputs = append(cfg.Inputs, task.Input{Topic: in.topic})
	}
	var err error
	if l.task, err = task.New(cfg); err != nil {
		t.Fatal(err)
	}
	return l
}

// fetched makes n records from an offset on, each as late as its offset.
func fetched(from, n int) (records []*kgo.Record) {
	for i := range n {
		at := int64(from + i)
		records = append(records, &kgo.Record{Key: []byte("k"), Value: []byte("v"), Offset: at, Timestamp: time.UnixMilli(at)})
	}
	return records
}

// A task of several inputs always has the next of each at hand, and its memory
// comes back although it never has nothing to do.
func TestFeedTwoInputs(t *testing.T) {
	const turn, rounds = 10, 200
	l := mergingLease(t)
	var slabs messageSlabs
	for i := range rounds {
		l.take(0, fetched(i*turn, turn))
		l.take(1, fetched(i*turn, turn))
		if i == 0 {
			continue // from here on there is more than it processes
		}
		if err := l.feed(turn, &slabs); err != nil {
			t.Fatal(err)
		}
		if a, b := l.task.Queued(0), l.task.Queued(1); a < turn || b < turn {
			t.Fatalf("round %d: %d and %d records at hand, want at least %d of both", i, a, b, turn)
		}
		if n, err := l.task.Step(1<<40, turn); n != turn || err != nil {
			t.Fatalf("round %d: %d records, %v", i, n, err)
		}
		if a, b := l.task.Position(0), l.task.Position(1); a-b > 1 || b-a > 1 {
			t.Fatalf("round %d: one input is at %d, the other at %d: not in the order of time", i, a, b)
		}
		if n := len(l.inputs[0].slabs); n > 3 {
			t.Fatalf("round %d: %d batches are lent", i, n)
		}
	}
	if n := l.queued(); n != 2*turn*rounds-turn*(rounds-1) {
		t.Errorf("%d records wait", n)
	}
}

// A batch of which nothing is for the task comes back at once.
func TestFeedControlRecords(t *testing.T) {
	l := mergingLease(t)
	var slabs messageSlabs
	records := fetched(0, 2)
	for _, r := range records {
		r.Attrs = kgo.NewRecordAttrs(kgo.RecordAttrsOpts{Control: true})
	}
	l.take(0, records)
	if err := l.feed(10, &slabs); err != nil {
		t.Fatal(err)
	}
	if n := len(l.inputs[0].slabs); n != 0 || l.task.Position(0) != 2 {
		t.Errorf("%d batches are lent, the task is at %d", n, l.task.Position(0))
	}
}

// Each lease comes first in its turn.
func TestInTurn(t *testing.T) {
	w := Worker{leases: []*lease{mergingLease(t), newLease(task.ID{Partition: 1}, mergingLease(t).sub, identity{}), mergingLease(t)}}
	first := map[*lease]int{}
	for range 6 {
		n := 0
		for l := range w.inTurn() {
			if n++; n == 1 {
				first[l]++
			}
		}
		if n != 2 {
			t.Fatalf("%d leases are running, want 2", n)
		}
	}
	if a, b := first[w.leases[0]], first[w.leases[2]]; a < 2 || b < 2 {
		t.Errorf("of 6 turns one lease came first in %d, the other in %d", a, b)
	}
}
