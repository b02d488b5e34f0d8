package worker

import (
	"context"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/millrace/millrace/processor/internal/broker"
	"github.com/millrace/millrace/processor/internal/commit"
	"github.com/millrace/millrace/processor/internal/group"
)

// refusing is a committer whose commits come from a generation that is over.
type refusing struct{}

func (refusing) Write(context.Context, *commit.WorkerCommit) commit.Verdict {
	return commit.Verdict{Outcome: commit.Committed}
}
func (refusing) Finish(context.Context, *commit.WorkerCommit) commit.Verdict {
	return commit.Verdict{Outcome: commit.Aborted, Err: kerr.IllegalGeneration, Doubt: false}
}
func (refusing) Abandon(_ context.Context, _ *commit.WorkerCommit, reason error) commit.Verdict {
	return commit.Verdict{Outcome: commit.Aborted, Err: reason, Doubt: false}
}

// A commit that a rebalance has refused makes the worker wait for the group, but
// not if the group's word is what it has just heard.
func TestRefusalBeforeTheGroupsWord(t *testing.T) {
	w := Worker{
		cfg: Config{HeartbeatInterval: time.Hour}, routes: map[broker.TopicPartition]route{},
		member: &group.Member{Events: make(chan group.Event, 1)}, pipeline: commit.New(refusing{}, &commit.CommitFaults{}, &broker.Waker{}),
	}
	defer w.pipeline.Close()
	refuse := func() {
		w.pipeline.Put(w.pipeline.Next(group.Identity{}, time.Now()))
	}
	refuse()
	if err := w.land(context.Background()); err != nil || w.held.IsZero() {
		t.Fatalf("after a refused commit: %v, held until %v", err, w.held)
	}
	refuse()
	w.member.Events <- group.Event{Kind: group.Revoked}
	if err := w.hearGroup(context.Background()); err != nil || !w.held.IsZero() {
		t.Errorf("after the group has spoken: %v, held until %v", err, w.held)
	}
}
