package worker

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/millrace/millrace/processor/internal/commit"
	"github.com/millrace/millrace/processor/internal/graph"
	"github.com/millrace/millrace/state"
)

// Two inputs of one task: the queue of the one that waits for the other is
// bounded, and in the end all is there.
func TestTwoInputs(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 2, "in", "also", "out")
	input := rows(2, 300, 5)
	c.load(input...)
	also := c.client(kgo.RecordPartitioner(kgo.ManualPartitioner()))
	for i := range 40 {
		r := &kgo.Record{Topic: "also", Partition: int32(i % 2), Key: []byte("a"), Value: []byte("v"), Timestamp: time.UnixMilli(int64(1000 + 10*i))}
		if err := also.ProduceSync(context.Background(), r).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	w := newWitness(t)
	cfg := c.config(merging(t), state.NewMemory(), w)
	cfg.Bounded, cfg.QueueRecords, cfg.TurnRecords = &BoundedRun{Run: "r"}, 20, 10
	if err := start(t, cfg).wait(); err != nil {
		t.Fatal(err)
	}
	c.output("out", len(input)+40)
}

// A queue is bounded by its bytes too, and a record that is larger than its part
// goes through.
func TestQueueBytes(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 2, "in", "out")
	input := rows(2, 300, 5)
	c.load(input...)
	cfg := c.config(counting(t, graph.ErrorPolicy{}), state.NewMemory(), newWitness(t))
	cfg.Bounded, cfg.QueueBytes, cfg.TurnRecords = &BoundedRun{Run: "r"}, 2, 10
	if err := start(t, cfg).wait(); err != nil {
		t.Fatal(err)
	}
	c.checkCounts(input)
}

// Aborted records and markers in the source move positions and nothing else.
func TestTransactionalInput(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 1, "in", "out")
	cl := c.client(kgo.TransactionalID("upstream"), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	var input []row
	for i := range 20 {
		if err := cl.BeginTransaction(); err != nil {
			t.Fatal(err)
		}
		for range 5 {
			r := row{0, fmt.Sprintf("k%d", i%3), "v"}
			if err := cl.ProduceSync(context.Background(), &kgo.Record{Topic: "in", Key: []byte(r.key), Value: []byte(r.value)}).FirstErr(); err != nil {
				t.Fatal(err)
			}
			if i%4 != 1 {
				input = append(input, r)
			}
		}
		if err := cl.EndTransaction(context.Background(), kgo.TransactionEndTry(i%4 != 1)); err != nil {
			t.Fatal(err)
		}
	}
	storage := state.NewMemory()
	for _, run := range []bool{true, false} {
		cfg := c.config(counting(t, graph.ErrorPolicy{}), storage, newWitness(t))
		cfg.Bounded, cfg.CommitRecords = &BoundedRun{Run: "r"}, 7
		crashed := false
		cfg.Faults.At = func(s Step) {
			if run && s == commit.AfterOffsets && !crashed {
				crashed = true
				panic(errCrash)
			}
		}
		if err := start(t, cfg).wait(); err != nil && !run {
			t.Fatal(err)
		}
	}
	c.checkCounts(input)
}

// Headers and null keys arrive as they were sent.
func TestHeadersAreKept(t *testing.T) {
	m := message(&kgo.Record{Value: []byte{}, Offset: 4, Timestamp: time.UnixMilli(-1), Headers: []kgo.RecordHeader{{Key: "a", Value: []byte("1")}, {Key: "a"}}}, new([]graph.Header))
	if m.Key != nil || m.Value == nil || m.Timestamp != -1 || m.Offset != 4 || len(m.Headers) != 2 || m.Headers[0].Key != "a" || string(m.Headers[0].Value) != "1" || m.Headers[1].Value != nil {
		t.Errorf("got %+v", m)
	}
}

// A position that retention has passed stops the worker, and says so.
func TestRecordsThatAreGone(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 1, "in", "out")
	c.load(rows(1, 20, 2)...)
	storage := state.NewMemory()
	p := start(t, c.config(counting(t, graph.ErrorPolicy{}), storage, newWitness(t)))
	c.output("out", 20)
	p.end()
	c.load(rows(1, 20, 2)...)
	cut := kadm.Offsets{}
	cut.Add(kadm.Offset{Topic: "in", Partition: 0, At: 30})
	if _, err := kadm.NewClient(c.client()).DeleteRecords(context.Background(), cut); err != nil {
		t.Fatal(err)
	}
	mustFail(t, c.config(counting(t, graph.ErrorPolicy{}), storage, newWitness(t)), `topic "in" partition 0`, "are gone", "start the application over")
}

// A source that is made anew under the worker stops it.
func TestSourceMadeAnew(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 1, "in", "out")
	c.load(rows(1, 20, 2)...)
	p := start(t, c.config(counting(t, graph.ErrorPolicy{}), state.NewMemory(), newWitness(t)))
	c.output("out", 20)
	adm := kadm.NewClient(c.client())
	if _, err := adm.DeleteTopic(context.Background(), "in"); err != nil {
		t.Fatal(err)
	}
	if _, err := adm.CreateTopic(context.Background(), 1, 1, nil, "in"); err != nil {
		t.Fatal(err)
	}
	c.load(rows(1, 30, 2)...)
	err := p.wait()
	if err == nil || !strings.Contains(err.Error(), `topic "in"`) || !strings.Contains(err.Error(), "start the application over") {
		t.Errorf("the worker ended with %v", err)
	}
}
