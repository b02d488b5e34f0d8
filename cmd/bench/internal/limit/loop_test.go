package limit

import (
	"context"
	"encoding/binary"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/millrace/millrace/cmd/internal/workload"
)

// The input of the tests.
const (
	loaded     = 60_000
	partitions = 3
)

func TestLoopsEmbedded(t *testing.T) {
	fake := embedded(t)
	slowProducer(fake, "-0")
	testLoops(t, workload.Cluster{Options: []kgo.Opt{kgo.SeedBrokers(fake.ListenAddrs()...)}})
}

func embedded(t *testing.T) *kfake.Cluster {
	t.Helper()
	fake, err := kfake.NewCluster(kfake.NumBrokers(1))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(fake.Close)
	return fake
}

// slowProducer has the broker take its time with what one of two transactional ids
// produces, so that the other could overtake it.
func slowProducer(fake *kfake.Cluster, suffix string) {
	fake.ControlKey(int16(kmsg.Produce), func(req kmsg.Request) (kmsg.Response, error, bool) {
		fake.KeepControl()
		if id := req.(*kmsg.ProduceRequest).TransactionID; id != nil && strings.HasSuffix(*id, suffix) {
			fake.SleepControl(func() { time.Sleep(3 * time.Millisecond) })
		}
		return nil, nil, false
	})
}

// testLoops runs every mode over the same input.
func testLoops(t *testing.T, c workload.Cluster) {
	load(t, c, "in", loaded)
	for _, mode := range Modes() {
		t.Run(mode, func(t *testing.T) {
			l := loop(c, mode)
			r, err := l.Run(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if !r.Complete || r.Total != loaded || r.Committed != loaded || r.Took <= 0 {
				t.Errorf("%+v", r)
			}
			switch mode {
			case "L0":
				return
			case "L3", "L3p":
				checkMatched(t, &l, r)
			default:
				checkCopy(t, &l, r)
			}
			if mode != "L2s" { // whose group has another name each time
				checkOffsets(t, &l)
			}
			if len(r.Commits) < 2 || strings.HasPrefix(mode, "L2p") && len(r.Flush) != len(r.Commits) {
				t.Errorf("commits: %d, flushes: %d", len(r.Commits), len(r.Flush))
			}
		})
	}
}

func loop(c workload.Cluster, mode string) Loop {
	return Loop{
		Cluster: c, Mode: mode, In: "in", Out: "out-" + mode, Group: "loop-" + mode, Interval: time.Millisecond, Poll: 500,
		Matched: Matched{
			Topic: "clog-" + mode, OutputsPerRecord: 0.25, ChangelogPerRecord: 0.1, OutputsPerCommit: 3, ChangelogPerCommit: 30, OutputBytes: 41, ChangelogBytes: 49,
		},
		Producer: Producer{
			Linger: time.Millisecond, BatchBytes: 1_000_000, Buffered: 30_000, MetadataMinAge: 10 * time.Millisecond, Backoff: 2 * time.Millisecond,
			Compression: "none", CountConflicts: true,
		},
	}
}

func load(t *testing.T, c workload.Cluster, topic string, n int64) {
	t.Helper()
	gen, err := workload.NewGen(workload.Parameters{Keys: 500, ValueSize: 100, Rate: 5000, Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	in, err := workload.NewInput(gen, n, partitions, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := (workload.Load{Cluster: c, Input: in, Topic: topic, BatchBytes: 16 << 10}).Run(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// checkCopy: the output is the input, and each partition in the same order.
func checkCopy(t *testing.T, l *Loop, r Result) {
	t.Helper()
	v, err := workload.Check{Cluster: l.Cluster, Workload: "copy", Inputs: []string{l.In}, Sink: l.Out}.Run(t.Context())
	if err != nil || v.Err() != nil {
		t.Fatal(err, v)
	}
	if r.Outputs.Records != loaded || r.Outputs.Bytes < 100*loaded || r.Changelog.Records != 0 {
		t.Errorf("wrote %+v and %+v", r.Outputs, r.Changelog)
	}
	last := make([]int64, partitions)
	for _, r := range read(t, l.Cluster, l.Out, loaded) {
		seq := int64(binary.BigEndian.Uint64(r.Value[8:]))
		if seq < last[r.Partition] {
			t.Fatalf("partition %d: %d comes behind %d", r.Partition, seq, last[r.Partition])
		}
		last[r.Partition] = seq
	}
}

// checkMatched: as many records of the size that was asked for, no more than a fraction
// for each partition missing.
func checkMatched(t *testing.T, l *Loop, r Result) {
	t.Helper()
	commits := float64(len(r.Commits))
	outputs := loaded*l.Matched.OutputsPerRecord + commits*l.Matched.OutputsPerCommit
	changelog := loaded*l.Matched.ChangelogPerRecord + commits*l.Matched.ChangelogPerCommit
	near := func(got, want float64) bool { return got <= want+0.5 && got > want-partitions-0.5 }
	if !near(float64(r.Outputs.Records), outputs) || !near(float64(r.Changelog.Records), changelog) {
		t.Errorf("%v commits: wrote %+v, want %.1f, and %+v, want %.1f", commits, r.Outputs, outputs, r.Changelog, changelog)
	}
	size := func(bytes, records int64) float64 { return float64(bytes) / float64(records) }
	if o, c := size(r.Outputs.Bytes, r.Outputs.Records), size(r.Changelog.Bytes, r.Changelog.Records); math.Abs(o-41) > 2 || math.Abs(c-49) > 2 {
		t.Errorf("records of %.1f and %.1f bytes, want 41 and 49", o, c)
	}
	for topic, n := range map[string]int64{l.Out: r.Outputs.Records, l.Matched.Topic: r.Changelog.Records} {
		if got := len(read(t, l.Cluster, topic, int(n))); got != int(n) {
			t.Errorf("%s has %d records, want %d", topic, got, n)
		}
	}
}

// checkOffsets: the offsets of the whole input are committed.
func checkOffsets(t *testing.T, l *Loop) {
	t.Helper()
	cl, err := l.Cluster.Client()
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	offsets, err := kadm.NewClient(cl).FetchOffsets(t.Context(), l.Group)
	if err != nil {
		t.Fatal(err)
	}
	var sum int64
	offsets.Each(func(o kadm.OffsetResponse) { sum += o.At })
	if sum != loaded {
		t.Errorf("the committed offsets are %d in all, want %d", sum, loaded)
	}
}

// read returns the first n committed records of a topic, partition by partition in order.
func read(t *testing.T, c workload.Cluster, topic string, n int) (records []*kgo.Record) {
	t.Helper()
	cl, err := c.Client(kgo.ConsumeTopics(topic), kgo.FetchIsolationLevel(kgo.ReadCommitted()))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for len(records) < n && ctx.Err() == nil {
		records = append(records, cl.PollFetches(ctx).Records()...)
	}
	return records
}

// A loop that follows stops with its context and leaves no transaction open.
func TestFollow(t *testing.T) {
	for _, mode := range []string{"L2", "L2p", "L2s"} {
		fake := embedded(t)
		c := workload.Cluster{Options: []kgo.Opt{kgo.SeedBrokers(fake.ListenAddrs()...)}}
		load(t, c, "in", 1000)
		l := loop(c, mode)
		l.Follow, l.Interval = true, time.Hour // so the transaction is open at the end
		ctx, cancel := context.WithCancel(t.Context())
		fake.ControlKey(int16(kmsg.Produce), func(kmsg.Request) (kmsg.Response, error, bool) {
			cancel() // behind the first request
			return nil, nil, false
		})
		r, err := l.Run(ctx)
		if err != nil || r.Complete || len(r.Commits) != 0 {
			t.Errorf("%s: %+v, %v", mode, r, err)
		}
		v, err := workload.Check{Cluster: c, Workload: "copy", Inputs: []string{"in"}, Sink: l.Out}.Run(t.Context())
		if err != nil || v.Sink != 0 {
			t.Errorf("%s left: %v, %v", mode, v, err)
		}
	}
}

func TestBadLoops(t *testing.T) {
	for complaint, spoil := range map[string]func(l *Loop){
		`unknown mode "L9", want one of L0,`: func(l *Loop) { l.Mode = "L9" },
		"no input topic":                     func(l *Loop) { l.In = "" },
		"L2 needs an output topic":           func(l *Loop) { l.Out = "" },
		"an interval of 0s":                  func(l *Loop) { l.Interval = 0 },
		"polls of 0 records":                 func(l *Loop) { l.Poll = 0 },
		`unknown compression "best"`:         func(l *Loop) { l.Producer.Compression = "best" },
		"at least 1":                         func(l *Loop) { l.Producer.Buffered = 0 },
		"no changelog topic":                 func(l *Loop) { l.Mode, l.Matched.Topic = "L3p", "" },
	} {
		l := loop(workload.Cluster{}, "L2")
		spoil(&l)
		if _, err := l.Run(t.Context()); err == nil || !strings.Contains(err.Error(), complaint) {
			t.Errorf("%v, want %q", err, complaint)
		}
	}
}
