package worker

import (
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/millrace/millrace/processor/internal/broker"
	"github.com/millrace/millrace/processor/internal/graph"
	"github.com/millrace/millrace/processor/internal/group"
	"github.com/millrace/millrace/processor/internal/partitioner"
	"github.com/millrace/millrace/processor/internal/task"
	"github.com/millrace/millrace/state"
)

func mergingLease(t *testing.T) *lease {
	t.Helper()
	g := merging(t)
	l := newLease(task.ID{}, g.Subtopologies()[0], group.Identity{})
	cfg := task.Config{Subtopology: l.Sub, Partitions: map[string]int32{"out": 1}, Partition: partitioner.New(), Tasks: 1, MaxIdle: -1}
	for _, in := range l.Inputs {
		cfg.Inputs = append(cfg.Inputs, task.Input{Topic: in.Topic})
	}
	made, err := task.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	restored(t, l, made)
	return l
}

// restored gives a lease that was just assigned its task, as if it had been restored.
func restored(t *testing.T, l *lease, made *task.Task) {
	t.Helper()
	if err := l.transition(taskRestoring); err != nil {
		t.Fatal(err)
	}
	if err := l.run(made); err != nil {
		t.Fatal(err)
	}
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
		if n := len(l.queues[0].slabs); n > 3 {
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
	if n := len(l.queues[0].slabs); n != 0 || l.task.Position(0) != 2 {
		t.Errorf("%d batches are lent, the task is at %d", n, l.task.Position(0))
	}
}

// The bytes of what waits are counted from the fetch until the task is done with
// the batch they were handed over in, control records and headers included.
func TestWaitingBytes(t *testing.T) {
	l := mergingLease(t)
	var slabs messageSlabs
	records := fetched(0, 30) // of two bytes
	records[3].Headers = []kgo.RecordHeader{{Key: "h", Value: []byte("1234")}}
	records[29].Attrs = kgo.NewRecordAttrs(kgo.RecordAttrsOpts{Control: true})
	l.take(0, records)
	l.take(1, fetched(100, 1))
	want := func(when string, bytes int) {
		t.Helper()
		if n := l.waitingBytes(0); n != bytes {
			t.Errorf("%s %d bytes wait, want %d", when, n, bytes)
		}
	}
	want("after the fetch", 65)
	if err := l.feed(10, &slabs); err != nil {
		t.Fatal(err)
	}
	want("handed to the task", 65)
	if n, err := l.task.Step(1<<40, 10); n != 10 || err != nil {
		t.Fatalf("%d records, %v", n, err)
	}
	want("after the first batch", 40)
	for range 2 {
		if err := l.feed(10, &slabs); err != nil {
			t.Fatal(err)
		}
		if _, err := l.task.Step(1<<40, 10); err != nil {
			t.Fatal(err)
		}
	}
	want("after the last", 0)
	l.queues[0].rewind(l.Inputs[0].Offset)
	if q := l.queues[0]; q.bytes != 0 || q.headers != 0 || len(q.slabs) != 0 {
		t.Errorf("%d bytes and %d headers wait after all of it was dropped", q.bytes, q.headers)
	}
}

// What little of a fetch may wait long keeps nothing else of it in memory, and
// stays what it was.
func TestLittleIsDetached(t *testing.T) {
	response := []byte("keyvalueheader")
	small := []*kgo.Record{
		{Key: response[:3], Value: response[3:8], Headers: []kgo.RecordHeader{{Key: "h", Value: response[8:]}, {Key: "nil"}}},
		{Key: nil, Value: response[:0], Offset: 1},
	}
	large := []*kgo.Record{{Key: []byte("k"), Value: make([]byte, detachBytes), Offset: 2}}
	value := &large[0].Value[0]
	l := mergingLease(t)
	l.take(0, small)
	l.take(0, large)
	clear(response)
	a, b := small[0], small[1]
	if string(a.Key) != "key" || string(a.Value) != "value" || string(a.Headers[0].Value) != "header" || a.Headers[1].Value != nil || b.Key != nil || b.Value == nil {
		t.Errorf("after the fetch was used for something else: %q %q %v, %v %v", a.Key, a.Value, a.Headers, b.Key, b.Value)
	}
	if &large[0].Value[0] != value {
		t.Error("what fills a fetch was copied")
	}
}

// A partition is paused when too many records or bytes of it wait, and read again
// when half of that is left; it bears on no other.
func TestRegulate(t *testing.T) {
	for name, cfg := range map[string]Config{
		"records": {QueueRecords: 20, QueueBytes: 1 << 20},
		"bytes":   {QueueRecords: 1000, QueueBytes: 2 * 40},
	} {
		l := mergingLease(t)
		w := Worker{cfg: cfg, leases: leases{all: []*lease{l}}}
		var err error
		if w.fetcher, err = broker.NewFetcher([]kgo.Opt{kgo.SeedBrokers("127.0.0.1:1")}, &w.waker); err != nil {
			t.Fatal(err)
		}
		defer w.fetcher.Client.Close()
		paused := func(want bool) {
			t.Helper()
			w.leases.regulate(&w.cfg, w.fetcher)
			if a, b := l.queues[0].paused, l.queues[1].paused; a != want || b {
				t.Errorf("%s: with %d records of %d bytes paused is %v, and of the other input %v", name, l.waiting(0), l.waitingBytes(0), a, b)
			}
		}
		l.take(1, fetched(100, 1))
		l.take(0, fetched(0, 19))
		paused(false)
		l.take(0, fetched(19, 1))
		paused(true)
		for range 2 {
			if err := l.feed(5, &w.slabs); err != nil {
				t.Fatal(err)
			}
			paused(true)
			if n, err := l.task.Step(1<<40, 5); n != 5 || err != nil {
				t.Fatalf("%d records, %v", n, err)
			}
		}
		paused(false)
	}
}

// Each lease comes first in its turn.
func TestInTurn(t *testing.T) {
	w := Worker{leases: leases{all: []*lease{mergingLease(t), newLease(task.ID{Partition: 1}, mergingLease(t).Sub, group.Identity{}), mergingLease(t)}}}
	first := map[*lease]int{}
	for range 6 {
		n := 0
		for l := range w.leases.inTurn() {
			if n++; n == 1 {
				first[l]++
			}
		}
		if n != 2 {
			t.Fatalf("%d leases are running, want 2", n)
		}
	}
	if a, b := first[w.leases.all[0]], first[w.leases.all[2]]; a < 2 || b < 2 {
		t.Errorf("of 6 turns one lease came first in %d, the other in %d", a, b)
	}
}

// TestAStoreMayNameItsChangelog: a task follows that topic, and not one named after
// the application.
func TestAStoreMayNameItsChangelog(t *testing.T) {
	sub := &graph.Subtopology{Stores: []state.Spec{{Name: "counts"}, {Name: "users", Changelog: "all-users"}}}
	l := newLease(task.ID{}, sub, group.Identity{})
	if got := l.Changelogs("app"); !slices.Equal(got, []string{"app-counts-changelog", "all-users"}) {
		t.Errorf("changelogs %q", got)
	}
}

// TestACommitIsRemembered: a replay after it begins with what it says beside the offsets.
func TestACommitIsRemembered(t *testing.T) {
	l := mergingLease(t)
	c := &task.Commit{
		Reached: []state.Input{{Offset: 7}, {Offset: 8}}, Failed: []task.Failed{{}, {Offsets: []int64{3}}},
		Formats: [][]task.FormatNote{nil, {{Hash: 1, Words: "words"}}},
	}
	if err := l.settle(c); err != nil {
		t.Fatal(err)
	}
	for i, in := range l.Inputs {
		if in.Offset != c.Reached[i].Offset || !slices.Equal(in.Failed.Offsets, c.Failed[i].Offsets) || !slices.Equal(in.Formats, c.Formats[i]) {
			t.Errorf("input %d is %+v", i, in)
		}
	}
}
