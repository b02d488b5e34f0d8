package worker

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/millrace/millrace/processor/internal/commit"
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
	t.Parallel()
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
		bad := graph.Origin{Topic: l.Inputs[0].Topic, Offset: int64(5 + i)}
		if err := l.blame(task.Poison{Origin: bad, Failure: &graph.RecordError{}}); err != nil || l.limit != limit {
			t.Fatalf("after failure %d: %v, limit %d", i+1, err, l.limit)
		}
	}
	for i, limit := range []int{1, 0} {
		committed := int64(6 + i)
		if err := l.settle(&task.Commit{Reached: []state.Input{{Offset: committed}, {Offset: 0}}, Failed: make([]task.Failed, 2), Formats: make([][]task.FormatNote, 2)}); err != nil {
			t.Fatal(err)
		}
		if l.limit != limit {
			t.Errorf("committed up to %d, and the limit is %d, want %d", committed, l.limit, limit)
		}
	}
}

// Without a policy the worker stops, says where, and keeps the offset.
func TestPoisonStops(t *testing.T) {
	t.Parallel()
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
	t.Parallel()
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
	t.Parallel()
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
	t.Parallel()
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

// refuse answers like a broker whose topics refuse records for a reason that
// their settings do not tell: what is written to out with a time from late on.
func (c *cluster) refuse(name string, reason *kerr.Error, late time.Time) {
	c.t.Helper()
	topics, err := kadm.NewClient(c.client()).ListTopics(c.t.Context(), name)
	if err != nil {
		c.t.Fatal(err)
	}
	c.ControlKey(int16(kmsg.Produce), func(r kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		req := r.(*kmsg.ProduceRequest)
		resp, bad := req.ResponseKind().(*kmsg.ProduceResponse), false
		for _, topic := range req.Topics {
			rt := kmsg.NewProduceResponseTopic()
			rt.Topic, rt.TopicID = topic.Topic, topic.TopicID
			for _, p := range topic.Partitions {
				rp := kmsg.NewProduceResponseTopicPartition()
				rp.Partition, rp.ErrorCode = p.Partition, kerr.NotLeaderForPartition.Code // to be sent again
				var batch kmsg.RecordBatch
				ours := topic.TopicID == [16]byte(topics[name].ID) || topic.Topic == name
				if ours && batch.ReadFrom(p.Records) == nil && batch.MaxTimestamp >= late.UnixMilli() {
					rp.ErrorCode, bad = reason.Code, true
				}
				rt.Partitions = append(rt.Partitions, rp)
			}
			resp.Topics = append(resp.Topics, rt)
		}
		return resp, nil, bad
	})
}

// Whatever a broker refuses one record for, the record that it comes of is found
// and goes to the policy; without one the worker says which topic it was.
func TestARefusedRecordIsFound(t *testing.T) {
	t.Parallel()
	for _, reason := range []*kerr.Error{kerr.InvalidTimestamp, kerr.InvalidRecord} {
		t.Run(reason.Message, func(t *testing.T) {
			c := newCluster(t, 1, "in", "out", "dead")
			late := time.UnixMilli(1 << 40)
			c.refuse("out", reason, late)
			good := rows(1, 300, 5)
			c.load(good[:200]...)
			cl := c.client(kgo.RecordPartitioner(kgo.ManualPartitioner()))
			for i, at := range []time.Time{late, time.UnixMilli(1200), late.Add(time.Second)} {
				r := good[0]
				if i == 1 {
					good = append(good, r)
				}
				rec := &kgo.Record{Topic: "in", Key: []byte(r.key), Value: []byte(r.value), Timestamp: at}
				if err := cl.ProduceSync(t.Context(), rec).FirstErr(); err != nil {
					t.Fatal(err)
				}
			}
			c.load(good[200:300]...)
			w := newWitness(t)
			cfg := c.config(counting(t, graph.ErrorPolicy{OnError: graph.DeadLetter, Topic: "dead"}), state.NewMemory(), w)
			cfg.Now = func() time.Time { return late.Add(time.Hour) }
			p := start(t, cfg)
			for _, r := range c.output("dead", 2) {
				if r.Timestamp.Before(late) {
					t.Errorf("dead letter of %v", r.Timestamp)
				}
				headers := map[string]string{}
				for _, h := range r.Headers {
					headers[h.Key] = string(h.Value)
				}
				if headers["__millrace.errors.reason"] != "refused" || headers["__millrace.errors.operator"] != "sink:out" {
					t.Errorf("headers %v", headers)
				}
			}
			c.checkCounts(good)
			p.end()
			if w.aborts <= undonePatience || w.warned("in a row were undone") {
				t.Errorf("the search made %d aborts, and waited between them", w.aborts)
			}
			err := start(t, c.config(counting(t, graph.ErrorPolicy{}), state.NewMemory(), newWitness(t)).under("again")).wait()
			if err == nil || !strings.Contains(err.Error(), `topic "out"`) {
				t.Errorf("without a policy the worker ended with %v", err)
			}
		})
	}
}

// A dead letter gets out also where its topic does not say what it refuses, or may not be asked: from the first refusal
// on the letters carry the time of the clock.
func TestDeadLettersGetOutOfATopicThatSaysNothing(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 1, "in", "out", "dead")
	now := time.UnixMilli(1 << 40)
	c.refuse("dead", kerr.InvalidTimestamp, now.Add(time.Hour))
	good := rows(1, 100, 5)
	c.load(good[:50]...)
	cl := c.client(kgo.RecordPartitioner(kgo.ManualPartitioner()))
	for i := range 3 {
		rec := &kgo.Record{Topic: "in", Key: []byte("k"), Value: []byte("1"), Timestamp: now.Add(time.Duration(72+i) * time.Hour)}
		if err := cl.ProduceSync(t.Context(), rec).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	c.load(good[50:]...)
	policy := graph.ErrorPolicy{OnError: graph.DeadLetter, Topic: "dead", Route: []graph.Reason{graph.Future}}
	w := newWitness(t)
	cfg := c.config(counting(t, policy), state.NewMemory(), w)
	cfg.Now = func() time.Time { return now }
	p := start(t, cfg)
	for _, r := range c.output("dead", 3) {
		if !r.Timestamp.Equal(now) {
			t.Errorf("a dead letter of %v", r.Timestamp)
		}
	}
	c.checkCounts(good)
	p.end()
	if w.aborts != 1 {
		t.Errorf("%d commits were undone, want one", w.aborts)
	}
}

// under is the same application under another id, which begins anew.
func (c Config) under(id string) Config {
	c.ApplicationID = id
	return c
}

// Records that fail after effects cost one replay, however many they are, and
// the application commits as much at a time as without them.
func TestManyFailuresCostOneReplay(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 1, "in", "out", "dead")
	var all, good []row
	for i, r := range rows(1, 2000, 7) {
		if i%10 == 5 || i >= 1000 && i < 1300 {
			r.value = "poison"
		} else {
			good = append(good, r)
		}
		all = append(all, r)
	}
	c.load(all...)
	w := newWitness(t)
	p := start(t, c.config(counting(t, graph.ErrorPolicy{OnError: graph.DeadLetter, Topic: "dead"}), state.NewMemory(), w))
	c.output("dead", len(all)-len(good))
	c.checkCounts(good)
	p.end()
	replays := 0
	for _, line := range w.log {
		if strings.HasPrefix(line, "poisoned") {
			replays++
		}
	}
	if replays != 1 {
		t.Errorf("%d replays", replays)
	}
}

// The search for a record that a broker refuses ends with it: what follows goes
// at full size again.
func TestTheSearchEndsWithTheRecord(t *testing.T) {
	l := mergingLease(t)
	s := search{leases: &leases{all: []*lease{l}}, cfg: &Config{Graph: counting(t, graph.ErrorPolicy{OnError: graph.Skip})}}
	var slabs messageSlabs
	l.take(0, fetched(0, 10))
	if err := l.feed(10, &slabs); err != nil {
		t.Fatal(err)
	}
	if n, err := l.task.Step(1<<40, 6); n != 6 || err != nil {
		t.Fatalf("%d records, %v", n, err)
	}
	l.slowDown(1)
	if err := s.convict(l, &graph.RecordError{Err: &commit.ProduceError{Topic: "out", Err: kerr.InvalidRecord}}); err != nil {
		t.Fatal(err)
	}
	if l.limit != 0 || len(l.skip) != 1 || l.skip[0].Origin.Offset != 5 {
		t.Errorf("limit %d, skipped %+v", l.limit, l.skip)
	}
}
