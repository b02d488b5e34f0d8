package processor_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"os"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/millrace/millrace/processor"
	"github.com/millrace/millrace/processor/stream"
)

// A rig is a broker with an input topic and the application on it.
type rig struct {
	t        *testing.T
	broker   *kfake.Cluster
	client   *kgo.Client
	dir      string
	lose     bool   // the disk, between two versions
	behind   string // each key
	sent     int
	at       time.Time // of the last record
	warned   func(error)
	restored func()   // a task is going to process
	accept   []string // Config.AcceptRemade
	hasty    int      // so many commits are waited for at most; negative is all
}

// disks says of the tests of the matrix whether the disk is lost between two versions. Under -short, as with the race
// detector, it always is: which disk a task finds concerns what it reads, not who reads it at the same time.
func disks() []bool {
	if testing.Short() {
		return []bool{true}
	}
	return []bool{false, true}
}

type deployed = func(*stream.Builder)

func newRig(t *testing.T, lose bool) *rig {
	t.Helper()
	return newRigOf(t, lose, 1)
}

func newRigOf(t *testing.T, lose bool, partitions int32) *rig {
	t.Helper()
	broker, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(partitions, "in", "out", "side", "dead"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(broker.Close)
	client, err := kgo.NewClient(kgo.SeedBrokers(broker.ListenAddrs()...), kgo.DefaultProduceTopic("in"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return &rig{t: t, hasty: -1, broker: broker, client: client, dir: t.TempDir(), lose: lose, at: time.UnixMilli(1_000_000_000_000)}
}

// put sends n records, 5 s of event time apart, of three keys in turn, with a pause
// of a minute after each dozen.
func (r *rig) put(n int) {
	r.t.Helper()
	for range n {
		r.at = r.at.Add(5 * time.Second)
		if r.sent%12 == 0 {
			r.at = r.at.Add(time.Minute)
		}
		r.send(fmt.Sprintf("k%d", r.sent%3))
	}
}

// end closes all windows but that of its own record.
func (r *rig) end() {
	r.at = r.at.Add(24 * time.Hour)
	r.send("end")
}

func (r *rig) send(key string) {
	r.t.Helper()
	rec := &kgo.Record{Key: []byte(key + r.behind), Value: fmt.Appendf(nil, `{"n":%d}`, r.sent), Timestamp: r.at}
	if err := r.client.ProduceSync(r.t.Context(), rec).FirstErr(); err != nil {
		r.t.Fatal(err)
	}
	r.sent++
}

func topologyOf(t *testing.T, b deployed) *processor.Topology {
	t.Helper()
	builder := stream.New("app")
	b(builder)
	topology, err := builder.Build()
	if err != nil {
		t.Fatal(err)
	}
	return topology
}

// deploy runs a version until it has processed everything, or returns why it was
// refused.
func (r *rig) deploy(b deployed) error {
	r.t.Helper()
	if r.lose {
		if err := os.RemoveAll(r.dir); err != nil {
			r.t.Fatal(err)
		}
	}
	topology := topologyOf(r.t, b)
	committed := make(chan struct{}, 1)
	app, err := processor.New(topology, processor.Config{
		ApplicationID: "app", Brokers: r.broker.ListenAddrs(), StateDir: r.dir, CommitInterval: 2 * time.Millisecond, AcceptRemade: r.accept,
		Events: processor.EventListener{Warning: r.warned, TaskRestored: func(processor.RestoreInfo) {
			if r.restored != nil {
				r.restored()
			}
		}, Committed: func(processor.CommitInfo) {
			select {
			case committed <- struct{}{}:
			default:
			}
		}},
	})
	if err != nil {
		r.t.Fatal(err)
	}
	ctx, stop := context.WithTimeout(r.t.Context(), runTimeout)
	defer stop()
	done := make(chan error, 1)
	go func() { done <- app.Run(ctx) }()
	for {
		select {
		case err := <-done:
			if errors.Is(ctx.Err(), context.DeadlineExceeded) {
				r.t.Fatal("the run did not get to the end of its input")
			}
			return err
		case <-committed:
			if r.hasty > 0 {
				r.hasty--
			}
			if r.through(topology) || r.hasty == 0 {
				stop()
			}
		}
	}
}

// through reports whether everything was processed, and nobody is behind.
func (r *rig) through(topology *processor.Topology) bool {
	group := r.broker.GroupInfo("app")
	if group == nil {
		return false
	}
	for _, topic := range topology.Bind("app").SourceTopics() {
		for _, p := range r.broker.PartitionInfos(topic) {
			if group.Commits[topic][p.Partition].Offset < p.HighWatermark {
				return false
			}
		}
	}
	return true
}

// last is the last value of each key of a topic, by the bytes of the key.
func (r *rig) last(topic string) map[string]string { return r.lastIn(topic, 0) }

func (r *rig) lastIn(topic string, partition int32) map[string]string {
	r.t.Helper()
	last := map[string]string{}
	r.each(topic, partition, func(rec *kgo.Record) { last[fmt.Sprintf("%q", rec.Key)] = valueText(rec.Value) })
	maps.DeleteFunc(last, func(_, v string) bool { return v == "gone" })
	return last
}

// each yields the committed records of a partition.
func (r *rig) each(topic string, partition int32, do func(*kgo.Record)) {
	r.t.Helper()
	from := map[string]map[int32]kgo.Offset{topic: {partition: kgo.NewOffset().AtStart()}}
	reader, err := kgo.NewClient(kgo.SeedBrokers(r.broker.ListenAddrs()...), kgo.ConsumePartitions(from),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords())
	if err != nil {
		r.t.Fatal(err)
	}
	defer reader.Close()
	for end := r.broker.PartitionInfo(topic, partition).HighWatermark; end > 0; {
		fetches := reader.PollFetches(r.t.Context())
		fetches.EachRecord(func(rec *kgo.Record) {
			end = min(end, r.broker.PartitionInfo(topic, partition).HighWatermark-rec.Offset-1)
			if !rec.Attrs.IsControl() {
				do(rec)
			}
		})
	}
}

func valueText(b []byte) string {
	switch {
	case b == nil:
		return "gone"
	case len(b) == 8:
		return fmt.Sprint(int64(binary.BigEndian.Uint64(b)))
	}
	return string(b)
}

// rows counts the records of a topic by their keys.
func (r *rig) rows(topic string) map[string]int {
	r.t.Helper()
	all := map[string]int{}
	r.each(topic, 0, func(rec *kgo.Record) { all[fmt.Sprintf("%q", rec.Key)]++ })
	return all
}

// remake deletes a topic and makes it anew if it is not one that the application makes.
func (r *rig) remake(topic string) {
	r.t.Helper()
	adm := kadm.NewClient(r.client)
	if _, err := adm.DeleteTopic(r.t.Context(), topic); err != nil {
		r.t.Fatal(err)
	}
	if topic != "in" {
		return
	}
	if _, err := adm.CreateTopic(r.t.Context(), 1, 1, nil, topic); err != nil {
		r.t.Fatal(err)
	}
	fresh, err := kgo.NewClient(kgo.SeedBrokers(r.broker.ListenAddrs()...), kgo.DefaultProduceTopic("in")) // the old one knows the old topic
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(fresh.Close)
	r.client = fresh
}
