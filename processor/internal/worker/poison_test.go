package worker

import (
	"context"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/millrace/millrace/processor/internal/graph"
	"github.com/millrace/millrace/processor/internal/task"
	"github.com/millrace/millrace/state"
)

// poisoned puts bad records among good ones: alone, together, first and last.
func poisoned() (all, good []row) {
	bad := map[int]bool{0: true, 20: true, 50: true, 51: true, 53: true, 99: true}
	for i, r := range rows(1, 100, 3) {
		if bad[i] {
			r.value = "poison"
		} else {
			good = append(good, r)
		}
		all = append(all, r)
	}
	return all, good
}

// A record that fails after it changed state leaves no trace in the state.
func TestPoison(t *testing.T) {
	for _, policy := range []graph.ErrorPolicy{{OnError: graph.DeadLetter, Topic: "dead"}, {OnError: graph.Skip}} {
		t.Run(policy.Topic, func(t *testing.T) {
			c := newCluster(t, 1, "in", "out", "dead")
			all, good := poisoned()
			c.load(all...)
			p := start(t, c.config(counting(t, policy), state.NewMemory(), newWitness(t)))
			c.checkCounts(good)
			if policy.OnError == graph.DeadLetter {
				for _, r := range c.output("dead", len(all)-len(good)) {
					if string(r.Value) != "poison" {
						t.Errorf("dead letter %q", r.Value)
					}
				}
			}
			p.end()
		})
	}
}

// A task that has met two bad records commits each record for itself until it is
// past them, however quiet its other input is.
func TestSlowUntilPastTheFailures(t *testing.T) {
	l := mergingLease(t)
	var slabs messageSlabs
	l.take(0, fetched(0, 10))
	if err := l.feed(10, &slabs); err != nil {
		t.Fatal(err)
	}
	if n, err := l.task.Step(1<<40, 6); n != 6 || err != nil {
		t.Fatalf("%d records, %v", n, err)
	}
	for i, limit := range []int{0, 1} {
		bad := graph.Origin{Topic: l.inputs[0].topic, Offset: int64(5 + i)}
		if err := l.blame(task.Poison{Origin: bad, Failure: &graph.RecordError{}}); err != nil || l.limit != limit {
			t.Fatalf("after failure %d: %v, limit %d", i+1, err, l.limit)
		}
	}
	for i, limit := range []int{1, 0} {
		committed := int64(6 + i)
		l.settle(&task.Commit{Reached: []state.Input{{Offset: committed}, {Offset: 0}}})
		if l.limit != limit {
			t.Errorf("committed up to %d, and the limit is %d, want %d", committed, l.limit, limit)
		}
	}
}

// Without a policy the worker stops, says where, and keeps the offset.
func TestPoisonStops(t *testing.T) {
	c := newCluster(t, 1, "in", "out")
	c.load(row{0, "a", "fine"}, row{0, "a", "poison"})
	for range 2 {
		err := start(t, c.config(counting(t, graph.ErrorPolicy{}), state.NewMemory(), newWitness(t))).wait()
		if err == nil || !strings.Contains(err.Error(), `topic "in" partition 0 offset 1`) {
			t.Errorf("the worker ended with %v", err)
		}
	}
}

// An output that no broker takes stops the worker with what, where and what to
// do, and no transaction stays open that would hold back the readers of the sinks.
func TestTooLarge(t *testing.T) {
	c := newCluster(t, 1, "in", "out")
	c.load(row{0, "a", "large2000000"})
	err := start(t, c.config(counting(t, graph.ErrorPolicy{}), state.NewMemory(), newWitness(t))).wait()
	if err == nil || !strings.Contains(err.Error(), `topic "out" partition 0`) || !strings.Contains(err.Error(), "max.message.bytes") {
		t.Errorf("the worker ended with %v", err)
	}
	open, err := kadm.NewClient(c.client()).ListTransactions(context.Background(), nil, []string{"Ongoing"})
	if err != nil || len(open) > 0 {
		t.Errorf("%v, transactions still open: %v", err, open.TransactionalIDs())
	}
}

// A task that moves over the marker of an aborted transaction takes part in the
// commit with the result that is too large, and is not to blame.
func TestTooLargeBesideAnother(t *testing.T) {
	c := newCluster(t, 2, "in", "out", "dead")
	cl := c.client(kgo.TransactionalID("other"), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err := cl.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	if err := cl.ProduceSync(t.Context(), &kgo.Record{Topic: "in", Partition: 1, Value: []byte("undone")}).FirstErr(); err != nil {
		t.Fatal(err)
	}
	if err := cl.EndTransaction(t.Context(), kgo.TryAbort); err != nil {
		t.Fatal(err)
	}
	c.load(row{0, "a", "large2000000"})
	p := start(t, c.config(counting(t, graph.ErrorPolicy{OnError: graph.DeadLetter, Topic: "dead"}), state.NewMemory(), newWitness(t)))
	c.output("dead", 1)
	p.end()
}

// Where the policy has an answer, the record behind a result that no broker
// takes is found among thousands, and all others go through.
func TestTooLargeIsRouted(t *testing.T) {
	for _, g := range []Guarantee{ExactlyOnce, AtLeastOnce} {
		t.Run(g.String(), func(t *testing.T) {
			c := newCluster(t, 2, "in", "out", "dead")
			var all, good []row
			for i, r := range rows(2, 500, 5) {
				if i == 333 || i == 900 {
					r.value = "large2000000"
				} else {
					good = append(good, r)
				}
				all = append(all, r)
			}
			c.load(all...)
			cfg := c.config(counting(t, graph.ErrorPolicy{OnError: graph.DeadLetter, Topic: "dead"}), state.NewMemory(), newWitness(t))
			cfg.Guarantee = g
			p := start(t, cfg)
			for _, r := range c.output("dead", 2) {
				if string(r.Value) != "large2000000" {
					t.Errorf("dead letter %.20q", r.Value)
				}
			}
			if g == ExactlyOnce {
				c.checkCounts(good)
			}
			p.end()
		})
	}
}
