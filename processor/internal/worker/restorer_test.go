package worker

import (
	"context"
	"testing"

	"github.com/millrace/millrace/processor/internal/graph"
	"github.com/millrace/millrace/processor/internal/group"
	"github.com/millrace/millrace/processor/internal/restore"
	"github.com/millrace/millrace/processor/internal/task"
)

// What the worker does for all of its tasks leaves those alone that the
// restorer has; the race detector sees it if not.
func TestTurnLeavesRestoring(t *testing.T) {
	sub := &graph.Subtopology{Sources: []string{"in"}, Fed: []string{"in"}}
	l := newLease(task.ID{}, sub, group.Identity{})
	w := &Worker{leases: leases{all: []*lease{l}}}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := range l.Inputs {
			l.Inputs[i] = restore.Input{TopicPartition: l.Inputs[i].TopicPartition, Offset: 7}
		}
	}()
	w.purge.run(context.Background(), &w.leases, w.fetcher, &w.waker, w.cfg.Events.warning)
	w.leases.align(task.Moment{})
	w.times.tell(&w.cfg.Events, &w.leases)
	quiet, _ := w.leases.quiet()
	if records, _ := w.leases.weight(); w.leases.dirty() || records != 0 || len(quiet) != 0 {
		t.Error("a task that is being restored has work")
	}
	<-done
}
