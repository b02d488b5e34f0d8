package worker

import (
	"context"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/millrace/millrace/processor/internal/graph"
	"github.com/millrace/millrace/state"
)

// Retention may come by between the look at where the log begins and the first
// fetch. A task that has processed nothing begins later then.
func TestRetentionBeforeTheFirstFetch(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 1, "in", "out")
	c.load(rows(1, 20, 2)...)
	fetches := c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Fetch}, Topic: "in", Err: kerr.NotLeaderForPartition, Count: -1})
	storage, w := state.NewMemory(), newWitness(t)
	p := start(t, c.config(counting(t, graph.ErrorPolicy{}), storage, w))
	w.wait(t, "the start", func() bool { return len(w.restored) == 1 })
	cut := kadm.Offsets{}
	cut.Add(kadm.Offset{Topic: "in", Partition: 0, At: 8})
	if _, err := kadm.NewClient(c.client()).DeleteRecords(context.Background(), cut); err != nil {
		t.Fatal(err)
	}
	fetches.Remove()
	c.output("out", 12)
	p.end()
	c.load(rows(1, 5, 2)...)
	p = start(t, c.config(counting(t, graph.ErrorPolicy{}), storage, newWitness(t)))
	c.output("out", 17)
	p.end()
}
