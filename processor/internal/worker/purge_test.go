package worker

import (
	"context"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/millrace/millrace/processor/internal/broker"
	"github.com/millrace/millrace/processor/internal/graph"
	"github.com/millrace/millrace/processor/internal/group"
	"github.com/millrace/millrace/processor/internal/task"
)

// What was processed and committed is deleted from repartition topics, up to there;
// where that fails it is told.
func TestPurge(t *testing.T) {
	c := newCluster(t, 1, "by")
	client := c.client()
	for range 10 {
		if err := client.ProduceSync(t.Context(), &kgo.Record{Topic: "by", Value: []byte("v")}).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	l := newLease(task.ID{}, &graph.Subtopology{Sources: []string{"by"}, Fed: []string{"by"}}, group.Identity{})
	restored(t, l, &task.Task{})
	seen := newWitness(t)
	w := &Worker{cfg: Config{Events: seen.events()}, leases: leases{all: []*lease{l}}}
	var err error
	if w.fetcher, err = broker.NewFetcher(c.opts, &w.waker); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.fetcher.Close)

	for _, c := range []struct {
		committed, starts int64
		warning           string
	}{{7, 7, ""}, {99, 7, "delete processed records"}} {
		l.Inputs[0].Offset, w.purge.last = c.committed, w.purge.last.AddDate(-1, 0, 0)
		w.purge.run(context.Background(), &w.leases, w.fetcher, &w.waker, w.cfg.Events.warning)
		comeBack(t, w, &w.purge.AsyncRequest)
		w.purge.run(context.Background(), &w.leases, w.fetcher, &w.waker, w.cfg.Events.warning)
		starts, err := kadm.NewClient(client).ListStartOffsets(t.Context(), "by")
		if err != nil {
			t.Fatal(err)
		}
		if at, _ := starts.Lookup("by", 0); at.Offset != c.starts {
			t.Errorf("committed up to %d: the topic begins at %d, want %d", c.committed, at.Offset, c.starts)
		}
		told := ""
		for _, warning := range seen.warnings {
			told += warning.Error()
		}
		if !strings.Contains(told, c.warning) || c.warning == "" && told != "" {
			t.Errorf("committed up to %d: told %q, want %q", c.committed, told, c.warning)
		}
	}
}
