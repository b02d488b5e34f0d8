package worker

import (
	"context"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/millrace/millrace/processor/internal/broker"
	"github.com/millrace/millrace/processor/internal/group"
)

// refusing is a committer whose commits come from a generation that is over.
type refusing struct{}

func (refusing) write(context.Context, *batch) verdict { return verdict{outcome: done} }
func (refusing) finish(context.Context, *batch) verdict {
	return verdict{undone, kerr.IllegalGeneration, false}
}
func (refusing) abandon(_ context.Context, _ *batch, reason error) verdict {
	return verdict{undone, reason, false}
}

// A commit that a rebalance has refused makes the worker wait for the group, but
// not if the group's word is what it has just heard.
func TestRefusalBeforeTheGroupsWord(t *testing.T) {
	w := Worker{
		cfg: Config{HeartbeatInterval: time.Hour}, routes: map[broker.TopicPartition]route{},
		member: &group.Member{Events: make(chan group.Event, 1)}, pipe: newPipe(refusing{}, &Faults{}, &broker.Waker{}),
	}
	defer w.pipe.close()
	refuse := func() {
		w.pipe.put(&batch{began: time.Now(), producer: &producer{now: time.Now}})
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
