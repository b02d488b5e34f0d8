package processor_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/millrace/millrace/processor"
	"github.com/millrace/millrace/processor/stream"
)

// runTimeout bounds every run of these tests.
const runTimeout = 60 * time.Second

// cluster is an embedded broker and an application over it. A copy with another
// configuration is another process, or another application, on the same broker.
type cluster struct {
	t   *testing.T
	cfg processor.Config
}

// newCluster makes topics of two partitions; the application is a bounded run.
func newCluster(t *testing.T, topics ...string) *cluster {
	t.Helper()
	c, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(2, topics...))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return &cluster{t, processor.Config{
		ApplicationID: "app", Brokers: c.ListenAddrs(), StateDir: t.TempDir(), BoundedRun: "run",
	}}
}

func (c *cluster) topology(build func(*stream.Builder)) *processor.Topology {
	c.t.Helper()
	b := stream.New("app")
	build(b)
	topology, err := b.Build()
	if err != nil {
		c.t.Fatal(err)
	}
	return topology
}

// run is an application that runs until it is over or is stopped.
type run struct {
	t    *testing.T
	app  *processor.App
	ctx  context.Context
	stop context.CancelFunc
	done chan error
}

func (c *cluster) start(build func(*stream.Builder)) *run {
	c.t.Helper()
	app, err := processor.New(c.topology(build), c.cfg)
	if err != nil {
		c.t.Fatal(err)
	}
	ctx, stop := context.WithTimeout(context.Background(), runTimeout)
	c.t.Cleanup(stop)
	r := &run{c.t, app, ctx, stop, make(chan error, 1)}
	go func() { r.done <- app.Run(ctx) }()
	return r
}

// wait returns what the run comes to.
func (r *run) wait() error {
	r.t.Helper()
	err := <-r.done
	if errors.Is(r.ctx.Err(), context.DeadlineExceeded) {
		r.t.Fatalf("the run did not end: %v", err)
	}
	return err
}

// run runs the application until it is over.
func (c *cluster) run(build func(*stream.Builder)) error {
	c.t.Helper()
	return c.start(build).wait()
}

// client is closed when the test is over.
func (c *cluster) client(opts ...kgo.Opt) *kgo.Client {
	c.t.Helper()
	client, err := kgo.NewClient(append(opts, kgo.SeedBrokers(c.cfg.Brokers...))...)
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(client.Close)
	return client
}

func (c *cluster) admin() *kadm.Client {
	c.t.Helper()
	return kadm.NewClient(c.client())
}

func (c *cluster) topics() kadm.TopicDetails {
	c.t.Helper()
	topics, err := c.admin().ListTopics(c.t.Context())
	if err != nil {
		c.t.Fatal(err)
	}
	return topics
}

func (c *cluster) produce(records ...*kgo.Record) {
	c.t.Helper()
	if err := c.client().ProduceSync(c.t.Context(), records...).FirstErr(); err != nil {
		c.t.Fatal(err)
	}
}

// produceTo is produce to a given partition.
func (c *cluster) produceTo(partition int32, r *kgo.Record) {
	c.t.Helper()
	r.Partition = partition
	if err := c.client(kgo.RecordPartitioner(kgo.ManualPartitioner())).ProduceSync(c.t.Context(), r).FirstErr(); err != nil {
		c.t.Fatal(err)
	}
}

// read returns n committed records of a topic, in order of arrival.
func (c *cluster) read(topic string, n int) (records []*kgo.Record) {
	c.t.Helper()
	client := c.client(kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchIsolationLevel(kgo.ReadCommitted()))
	ctx, cancel := context.WithTimeout(c.t.Context(), runTimeout)
	defer cancel()
	for len(records) < n {
		fetches := client.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			c.t.Fatalf("%d of %d records of %s: %v", len(records), n, topic, err)
		}
		records = append(records, fetches.Records()...)
	}
	return records
}

// consume counts the texts of n committed records of a topic.
func (c *cluster) consume(topic string, n int) map[string]int {
	c.t.Helper()
	got := map[string]int{}
	for _, r := range c.read(topic, n) {
		got[describe(r)]++
	}
	return got
}

// last returns the last count of each key among n records of the counts.
func (c *cluster) last(n int) map[string]string {
	c.t.Helper()
	got := map[string]string{}
	for _, r := range c.read("counts", n) {
		key, value, _ := strings.Cut(describe(r), "=")
		got[key] = value
	}
	return got
}

// describe is a record as key=value, a dead letter with its reason.
func describe(r *kgo.Record) string {
	value := string(r.Value)
	if len(value) == 8 {
		value = fmt.Sprint(int64(r.Value[7]) + int64(r.Value[6])<<8)
	}
	for _, h := range r.Headers {
		if h.Key == "__millrace.errors.reason" {
			return fmt.Sprintf("%s: %s=%s", h.Value, r.Key, value)
		}
	}
	return fmt.Sprintf("%s=%s", r.Key, value)
}

func word(key, value string) *kgo.Record {
	return &kgo.Record{Topic: "words", Key: []byte(key), Value: []byte(value), Timestamp: time.UnixMilli(1_000_000)}
}
