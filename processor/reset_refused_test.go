package processor_test

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/millrace/millrace/processor"
	"github.com/millrace/millrace/state"
)

// An application that is running is not reset, not even if it was started after
// the plan was made.
func TestResetRefusesWhileRunning(t *testing.T) {
	t.Parallel()
	c := newCluster(t, "words", "counts")
	c.cfg.BoundedRun = ""
	cfg := c.resetConfig()
	cfg.StateDir = ""
	committed := make(chan struct{}, 100)
	c.cfg.Events.Committed = func(processor.CommitInfo) { committed <- struct{}{} }
	early := c.planReset(cfg)
	r := c.start(byValue)
	c.produce(word("1", "a"))
	select {
	case <-committed:
	case err := <-r.done:
		t.Fatal(err)
	}
	_, planned := processor.PlanReset(t.Context(), cfg)
	for name, err := range map[string]error{"planning": planned, "executing": early.Execute(t.Context(), nil)} {
		for _, want := range []string{`group "app"`, "1 members", "stop all instances", "session"} {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s does not mention %q: %v", name, want, err)
			}
		}
	}
	locked := c.resetConfig()
	if _, err := processor.PlanReset(t.Context(), locked); !errors.Is(err, state.ErrLocked) || !strings.Contains(err.Error(), c.cfg.StateDir) {
		t.Errorf("with a directory in use: %v", err)
	}
	c.produce(word("2", "b"))
	r.stop()
	if err := r.wait(); err != nil {
		t.Fatal(err)
	}
	if !c.topics().Has("app-totals-changelog") {
		t.Error("the changelog is gone")
	}
	locked.Topology = c.topology(byValue) // the second task may not have committed yet
	c.reset(locked)
}

func TestResetRefuses(t *testing.T) {
	c := newCluster(t, "words")
	for _, tt := range []struct {
		name string
		set  func(*processor.ResetConfig)
		want string
	}{
		{"no id", func(cfg *processor.ResetConfig) { cfg.ApplicationID = "" }, "ApplicationID"},
		{"a path for an id", func(cfg *processor.ResetConfig) { cfg.ApplicationID = ".." }, "ApplicationID"},
		{"no brokers", func(cfg *processor.ResetConfig) { cfg.Brokers = nil }, "no Brokers"},
		{"a topic that is nobody's", func(cfg *processor.ResetConfig) { cfg.InternalTopics = []string{"words"} }, `"words" cannot be an internal topic of application "app"`},
		{"a broker that is not there", func(cfg *processor.ResetConfig) { cfg.Brokers = []string{"127.0.0.1:1"} }, `reset "app" at 127.0.0.1:1: no broker answers`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cfg := c.resetConfig()
			tt.set(&cfg)
			if _, err := processor.PlanReset(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}

// A state directory of another application is not removed.
func TestResetLeavesForeignState(t *testing.T) {
	c := newCluster(t, "words")
	disk, err := state.OpenDisk(filepath.Join(c.cfg.StateDir, "app"), "other", state.DiskOptions{})
	if err != nil {
		t.Fatal(err)
	}
	disk.Close()
	if _, err := processor.PlanReset(t.Context(), c.resetConfig()); !errors.Is(err, state.ErrOtherApplication) {
		t.Errorf("got %v", err)
	}
}

// What the offsets are of may be gone by now; that is a reason for a reset, not
// against it.
func TestResetWithoutTheInput(t *testing.T) {
	t.Parallel()
	c := newCluster(t, "words", "counts")
	c.produce(word("1", "a"))
	if err := c.run(byValue); err != nil {
		t.Fatal(err)
	}
	if _, err := c.admin().DeleteTopic(t.Context(), "words"); err != nil {
		t.Fatal(err)
	}
	c.reset(c.resetConfig())
	if plan := c.planReset(c.resetConfig()); !plan.Nothing() {
		t.Errorf("left:\n%s", plan)
	}
}

// A transaction that is open when the reset is planned is waited for: it may
// still change the offsets.
func TestResetWaitsForTransactions(t *testing.T) { // by itself: the plan has a second to see the transaction
	c := newCluster(t, "words", "counts")
	c.produce(word("1", "a"))
	if err := c.run(byValue); err != nil {
		t.Fatal(err)
	}
	producer := c.client(kgo.TransactionalID("left"), kgo.TransactionTimeout(time.Minute))
	c.openTransaction(producer)
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if _, err := processor.PlanReset(ctx, c.resetConfig()); err == nil || !strings.Contains(err.Error(), "transaction of the application is still open") {
		t.Errorf("got %v", err)
	}
	if err := producer.EndTransaction(t.Context(), kgo.TryAbort); err != nil {
		t.Fatal(err)
	}
	c.reset(c.resetConfig())
}

// openTransaction leaves an offset of the group in an open transaction.
func (c *cluster) openTransaction(producer *kgo.Client) {
	c.t.Helper()
	if err := producer.BeginTransaction(); err != nil {
		c.t.Fatal(err)
	}
	if err := producer.ProduceSync(c.t.Context(), word("2", "b")).FirstErr(); err != nil {
		c.t.Fatal(err)
	}
	id, epoch, err := producer.ProducerID(c.t.Context())
	if err != nil {
		c.t.Fatal(err)
	}
	join := kmsg.NewPtrAddOffsetsToTxnRequest()
	join.TransactionalID, join.ProducerID, join.ProducerEpoch, join.Group = "left", id, epoch, "app"
	if _, err := join.RequestWith(c.t.Context(), producer); err != nil {
		c.t.Fatal(err)
	}
	commit := kmsg.NewPtrTxnOffsetCommitRequest()
	commit.TransactionalID, commit.ProducerID, commit.ProducerEpoch, commit.Group = "left", id, epoch, "app"
	commit.Generation = -1
	topic, partition := kmsg.NewTxnOffsetCommitRequestTopic(), kmsg.NewTxnOffsetCommitRequestTopicPartition()
	topic.Topic, topic.TopicID, topic.Partitions = "words", c.topics()["words"].ID, append(topic.Partitions, partition)
	commit.Topics = append(commit.Topics, topic)
	resp, err := commit.RequestWith(c.t.Context(), producer)
	if err != nil || resp.Topics[0].Partitions[0].ErrorCode != 0 {
		c.t.Fatalf("%v, %+v", err, resp)
	}
}
