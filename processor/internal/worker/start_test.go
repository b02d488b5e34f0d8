package worker

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/millrace/millrace/processor/internal/graph"
	"github.com/millrace/millrace/state"
	"github.com/millrace/millrace/windowing"
)

func mustFail(t *testing.T, cfg Config, want ...string) {
	t.Helper()
	err := start(t, cfg).wait()
	if err == nil {
		t.Fatal("the worker started")
	}
	for _, s := range want {
		if !strings.Contains(err.Error(), s) {
			t.Errorf("the error %q does not say %q", err, s)
		}
	}
}

func TestMissingTopics(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 1, "other")
	mustFail(t, c.config(counting(t, graph.ErrorPolicy{OnError: graph.DeadLetter, Topic: "dead"}), state.NewMemory(), newWitness(t)), `"in"`, `"out"`, `"dead"`)
}

func TestConfigComplaints(t *testing.T) {
	_, err := New(Config{CommitInterval: time.Minute, TransactionTimeout: time.Second, TurnRecords: -1, Bounded: &BoundedRun{}})
	if err == nil {
		t.Fatal("accepted")
	}
	for _, s := range []string{"application id", "topology", "storage", "client", "twice the commit interval", "negative", "bounded run"} {
		if !strings.Contains(err.Error(), s) {
			t.Errorf("%q does not complain about %q", err, s)
		}
	}
}

// merging reads two topics together.
func merging(t *testing.T) *graph.Topology {
	t.Helper()
	b := graph.NewBuilder("merging")
	one := b.Add(graph.Node{Name: "source:in", Kind: graph.SourceNode, Topic: "in", Watermarks: windowing.Ascending(), Instantiate: sourceOf})
	two := b.Add(graph.Node{Name: "source:also", Kind: graph.SourceNode, Topic: "also", Watermarks: windowing.Ascending(), Instantiate: sourceOf})
	b.Add(graph.Node{Name: "sink:out", Kind: graph.SinkNode, Topic: "out", Instantiate: sinkOf}, graph.Edge{From: one}, graph.Edge{From: two})
	g, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func TestPartitionCountsDiffer(t *testing.T) {
	c := newCluster(t, 2, "in", "out")
	if _, err := kadm.NewClient(c.client()).CreateTopic(context.Background(), 3, 1, nil, "also"); err != nil {
		t.Fatal(err)
	}
	mustFail(t, c.config(merging(t), state.NewMemory(), newWitness(t)), `"in" (2 partitions)`, `"also" (3 partitions)`)
}

func TestChangelogIsMadeAndVerified(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 2, "in", "out")
	adm := kadm.NewClient(c.client())
	p := start(t, c.config(counting(t, graph.ErrorPolicy{}), state.NewMemory(), newWitness(t)))
	c.load(row{0, "a", "x"})
	c.output("out", 1)
	p.end()
	topics, err := adm.ListTopics(context.Background(), "app-counts-changelog")
	if err != nil || len(topics["app-counts-changelog"].Partitions) != 2 {
		t.Fatalf("changelog: %+v, %v", topics, err)
	}
	configs, err := adm.DescribeTopicConfigs(context.Background(), "app-counts-changelog")
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, kv := range configs[0].Configs {
		got[kv.Key] = kv.MaybeValue()
	}
	if got["cleanup.policy"] != "compact" || got["retention.ms"] != "-1" {
		t.Errorf("changelog settings: %v", got)
	}
	if _, err := adm.AlterTopicConfigs(context.Background(), []kadm.AlterConfig{{Op: kadm.SetConfig, Name: "cleanup.policy", Value: kadm.StringPtr("delete")}}, "app-counts-changelog"); err != nil {
		t.Fatal(err)
	}
	mustFail(t, c.config(counting(t, graph.ErrorPolicy{}), state.NewMemory(), newWitness(t)), "app-counts-changelog", "cleanup.policy=delete", "kafka-configs.sh")
}

func TestChangelogOfAnotherSize(t *testing.T) {
	c := newCluster(t, 2, "in", "out")
	if _, err := kadm.NewClient(c.client()).CreateTopic(context.Background(), 3, 1, nil, "app-counts-changelog"); err != nil {
		t.Fatal(err)
	}
	mustFail(t, c.config(counting(t, graph.ErrorPolicy{}), state.NewMemory(), newWitness(t)), "has 3 partitions, its tasks need 2", "start the application over")
}

// An offset that another tool has committed is not built upon.
func TestForeignOffset(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 1, "in", "out")
	c.load(rows(1, 10, 2)...)
	offsets := kadm.Offsets{}
	offsets.Add(kadm.Offset{Topic: "in", Partition: 0, At: 7, Metadata: "somebody"})
	if _, err := kadm.NewClient(c.client()).CommitOffsets(context.Background(), "app", offsets); err != nil {
		t.Fatal(err)
	}
	mustFail(t, c.config(counting(t, graph.ErrorPolicy{}), state.NewMemory(), newWitness(t)), "offset 7", "another program", "start the application over")
}

// Committed offsets whose state is gone are not gone on from.
func TestStateThatIsGone(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 1, "in", "out")
	c.load(rows(1, 10, 2)...)
	p := start(t, c.config(counting(t, graph.ErrorPolicy{}), state.NewMemory(), newWitness(t)))
	c.output("out", 10)
	p.end()
	adm := kadm.NewClient(c.client())
	if _, err := adm.DeleteTopic(context.Background(), "app-counts-changelog"); err != nil {
		t.Fatal(err)
	}
	mustFail(t, c.config(counting(t, graph.ErrorPolicy{}), state.NewMemory(), newWitness(t)), "app-counts-changelog", "deleted and made anew", "AcceptRemade", "start the application over")
}

func TestNoBroker(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("waits for a broker that never comes")
	}
	c := newCluster(t, 1, "in", "out")
	cfg := c.config(counting(t, graph.ErrorPolicy{}), state.NewMemory(), newWitness(t))
	cfg.Client = []kgo.Opt{kgo.SeedBrokers("127.0.0.1:1"), kgo.RequestRetries(0)}
	w, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if err := w.Run(ctx); err != nil {
		t.Errorf("a worker that is told to stop while it waits for brokers ends with %v", err)
	}
}

// Records are given back to the client's pool as soon as they are handed to the
// task, so a pool of the user's, of which the keys and values may be part, would
// be used again too early.
func TestPoolOfTheUser(t *testing.T) {
	c := newCluster(t, 1, "in", "out")
	cfg := c.config(counting(t, graph.ErrorPolicy{}), state.NewMemory(), newWitness(t))
	cfg.Client = append(cfg.Client, kgo.WithPools(poolOfTheUser{}))
	if err := start(t, cfg).wait(); err == nil || !strings.Contains(err.Error(), "kgo.WithPools") {
		t.Errorf("the worker ended with %v", err)
	}
}

type poolOfTheUser struct{}

func (poolOfTheUser) GetRecords(n int) []kgo.Record { return make([]kgo.Record, n) }
func (poolOfTheUser) PutRecords([]kgo.Record)       {}
