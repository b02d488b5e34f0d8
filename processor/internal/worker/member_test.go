package worker

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/millrace/millrace/state"
)

// topicsSeen is how soon after another a client looks at its topics.
const topicsSeen = 100 * time.Millisecond

// A worker that is not let into its group says so, and comes in when it is.
func TestGroupThatIsFull(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 1, "in", "out")
	c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.JoinGroup}, Err: kerr.GroupMaxSizeReached, Count: 3})
	w := newWitness(t)
	p := start(t, c.config(passing(t), state.NewMemory(), w))
	w.wait(t, "a warning", func() bool { return w.warned(`group "app"`, "GROUP_MAX_SIZE_REACHED") })
	w.wait(t, "the start", func() bool { return len(w.restored) == 1 })
	p.end()
}

// Partitions that a topic gains are told of, for nobody reads them.
func TestTopicThatGrows(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 2, "in", "out")
	w := newWitness(t)
	cfg := c.config(passing(t), state.NewMemory(), w)
	cfg.Client = append(cfg.Client[:len(cfg.Client):len(cfg.Client)], kgo.MetadataMinAge(topicsSeen), kgo.MetadataMaxAge(2*topicsSeen))
	p := start(t, cfg)
	w.wait(t, "the start", func() bool { return len(w.restored) == 2 })
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if _, err := kadm.NewClient(c.client()).CreatePartitions(ctx, 3, "in"); err != nil {
		t.Fatal(err)
	}
	w.wait(t, "a warning", func() bool { return w.warned(`topic "in" has 5 partitions`, "had 2") })
	p.end()
}

// A worker tells that its seat is lost, and when it has one again.
func TestALostSeatIsTold(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 1, "in", "out")
	w := newWitness(t)
	p := start(t, c.config(passing(t), state.NewMemory(), w))
	w.wait(t, "the start", func() bool { return len(w.restored) == 1 })
	c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Heartbeat}, Err: kerr.UnknownMemberID})
	w.wait(t, "another seat", func() bool { return slices.Equal(w.seats, []string{"seated", "unseated", "seated"}) })
	p.end()
}

// A worker tells that the broker which keeps its group does not answer, while it
// still has its seat, and when it does again.
func TestASilentBrokerIsTold(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 1, "in", "out")
	w := newWitness(t)
	p := start(t, c.config(passing(t), state.NewMemory(), w))
	w.wait(t, "the start", func() bool { return len(w.restored) == 1 })
	var silent atomic.Bool
	silent.Store(true)
	c.ControlKey(kmsg.Heartbeat.Int16(), func(kmsg.Request) (kmsg.Response, error, bool) {
		if !silent.Load() {
			return nil, nil, false
		}
		c.KeepControl()
		return nil, errors.New("the connection is cut"), true
	})
	w.wait(t, "silence", func() bool { return slices.Equal(w.answers, []bool{false}) })
	silent.Store(false)
	w.wait(t, "an answer", func() bool { return slices.Equal(w.answers, []bool{false, true}) })
	w.locked(func() {
		if !slices.Equal(w.seats, []string{"seated"}) {
			t.Errorf("the seats were %q", w.seats)
		}
	})
	p.end()
}
