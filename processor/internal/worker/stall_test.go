package worker

import (
	"context"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/millrace/millrace/processor/internal/graph"
	"github.com/millrace/millrace/processor/internal/task"
	"github.com/millrace/millrace/state"
)

// An open transaction in the changelog is waited for, with a warning.
func TestRestoreWaitsForAnOpenTransaction(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("waits for a warning that comes after some seconds")
	}
	c := newCluster(t, 1, "in", "out")
	c.load(rows(1, 20, 2)...)
	p := start(t, c.config(counting(t, graph.ErrorPolicy{}), state.NewMemory(), newWitness(t)))
	c.output("out", 20)
	p.end()

	other := c.client(kgo.TransactionalID("somebody"), kgo.TransactionTimeout(8*time.Second), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err := other.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	if err := other.ProduceSync(context.Background(), &kgo.Record{Topic: "app-counts-changelog", Key: []byte("?"), Value: []byte("?")}).FirstErr(); err != nil {
		t.Fatal(err)
	}
	w := newWitness(t)
	p = start(t, c.config(counting(t, graph.ErrorPolicy{}), state.NewMemory(), w))
	w.wait(t, "the restore", func() bool { return w.restored[task.ID{}].Records > 0 })
	if len(w.warnings) == 0 {
		t.Error("nobody was told what the restore waits for")
	}
	c.load(rows(1, 20, 2)...)
	c.checkCounts(append(rows(1, 20, 2), rows(1, 20, 2)...))
	p.end()
}
