package workload

import (
	"context"
	"encoding/binary"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
)

// embedded starts a broker inside this process.
func embedded(t *testing.T) Cluster {
	t.Helper()
	fake, err := kfake.NewCluster(kfake.NumBrokers(1))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(fake.Close)
	return Cluster{Options: []kgo.Opt{kgo.SeedBrokers(fake.ListenAddrs()...)}}
}

func TestLoadEmbedded(t *testing.T)   { testLoad(t, embedded(t)) }
func TestChecksEmbedded(t *testing.T) { testChecks(t, embedded(t)) }

// loads is the data of the tests below.
var loads = Parameters{Keys: 500, ValueSize: 100, Rate: 5000, Jitter: 300, Seed: 1}

// recordsLoaded is enough for several batches per partition and windows that
// close before the end.
const recordsLoaded = 100_000

func loadOf(t *testing.T, c Cluster, topic string, p Parameters, n int64, flush time.Duration) Load {
	t.Helper()
	in, err := NewInput(generator(t, p), n, 3, flush)
	if err != nil {
		t.Fatal(err)
	}
	return Load{Cluster: c, Input: in, Topic: topic, BatchBytes: 64 << 10}
}

// testLoad loads a topic, finds it loaded, and does not take other data for it.
func testLoad(t *testing.T, c Cluster) {
	ctx := t.Context()
	good := loadOf(t, c, "in", loads, recordsLoaded, 30*time.Second)
	for _, existed := range []bool{false, true} {
		done, err := good.Run(ctx)
		if err != nil || done.Existed != existed || done.Records != recordsLoaded+3 || len(done.PerPartition) != 3 {
			t.Fatalf("got %+v, %v, want existed %v", done, err, existed)
		}
	}
	reseeded := loads
	reseeded.Seed = 9
	for name, other := range map[string]Load{
		"seed":  loadOf(t, c, "in", reseeded, recordsLoaded, 30*time.Second),
		"flush": loadOf(t, c, "in", loads, recordsLoaded, 31*time.Second),
		"count": loadOf(t, c, "in", loads, recordsLoaded+3, 0),
		"more":  loadOf(t, c, "in", loads, 2*recordsLoaded, 0),
	} {
		if _, err := other.Run(ctx); err == nil || !strings.Contains(err.Error(), "recreate") {
			t.Errorf("a topic with another %s passed for loaded: %v", name, err)
		}
	}
	again := loadOf(t, c, "in", reseeded, 1000, 0)
	again.Recreate = true
	if done, err := again.Run(ctx); err != nil || done.Existed || done.Records != 1000 {
		t.Errorf("recreated: %+v, %v", done, err)
	}
	if err := errors.Join(c.DeleteTopic(ctx, "in"), c.DeleteTopic(ctx, "never there")); err != nil {
		t.Error(err)
	}
}

// fault is what a sink has wrong.
type fault int

const (
	none       fault = iota
	wrong            // a count
	unexpected       // a row too many
	missing          // a row too few
	repeated         // a row twice
	tombstone        // for a row there is, before its value
)

// testChecks gives each check a right sink and wrong ones.
func testChecks(t *testing.T, c Cluster) {
	ctx := t.Context()
	if _, err := loadOf(t, c, "in", loads, recordsLoaded, 30*time.Second).Run(ctx); err != nil {
		t.Fatal(err)
	}
	testCopies(t, c)
	for name, build := range map[string]func(int64) aggregate{
		"tumble": tumbling, "hop": hopping, "session": bySession, "dedupkeys": perKey,
		"tumblefinal": tumbling, "hopfinal": hopping, "sessionfinal": bySession,
	} {
		final := strings.HasSuffix(name, "final")
		faults := []fault{none, wrong, unexpected, missing}
		if final {
			faults = append(faults, repeated, tombstone)
		}
		check := Check{Cluster: c, Workload: name, Inputs: []string{"in"}, Sink: "out", Grace: 300}
		agg := build(check.Grace)
		if err := check.aggregateInput(ctx, new(Verdict), agg); err != nil {
			t.Fatal(err)
		}
		for _, f := range faults {
			sink := newSink(t, c, "out")
			sink.writeRows(agg, final, f)
			sink.close()
			v, err := check.Run(ctx)
			if err != nil {
				t.Fatal(err)
			}
			if (v.Err() == nil) != (f == none) || v.Input != recordsLoaded || v.Flush != 3 || v.Late != 0 {
				t.Errorf("%s, fault %d: %v", name, f, v)
			}
		}
	}
}

// testCopies checks the stateless workloads and a join on sinks made record by
// record; a sink for one workload must not pass for another.
func testCopies(t *testing.T, c Cluster) {
	ctx := t.Context()
	small := loads
	small.EveryKey, small.Jitter = true, 0
	if _, err := loadOf(t, c, "table", small, small.Keys, 0).Run(ctx); err != nil {
		t.Fatal(err)
	}
	for name, each := range map[string]func(s *sink, r *kgo.Record){
		"copy": func(s *sink, r *kgo.Record) { s.put(r.Key, r.Value) },
		"map": func(s *sink, r *kgo.Record) {
			if value := slices.Clone(r.Value); scaled(value) {
				s.put(r.Key, value)
			}
		},
	} {
		s := newSink(t, c, "copies")
		if err := c.scan(ctx, "in", func(r *kgo.Record) error { each(s, r); return nil }); err != nil {
			t.Fatal(err)
		}
		s.close()
		for _, judge := range []Check{
			{Workload: "copy", Inputs: []string{"in"}},
			{Workload: "map", Inputs: []string{"in"}},
			{Workload: "stjoin", Inputs: []string{"in", "table"}},
			{Workload: "ssjoin", Inputs: []string{"table", "table"}},
		} {
			judge.Cluster, judge.Sink = c, "copies"
			v, err := judge.Run(ctx)
			if err != nil {
				t.Fatal(err)
			}
			if (v.Err() == nil) != (judge.Workload == name) {
				t.Errorf("the sink of %s: %v", name, v)
			}
		}
	}
}

// An unfinished transaction would hide rows from the check.
func TestOpenTransaction(t *testing.T) {
	c := embedded(t)
	ctx := t.Context()
	if _, err := c.CreateTopic(ctx, "out", 1, false); err != nil {
		t.Fatal(err)
	}
	cl, err := c.Client(kgo.TransactionalID("open"), kgo.DefaultProduceTopic("out"))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	if err := cl.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	if err := cl.ProduceSync(ctx, kgo.StringRecord("x")).FirstErr(); err != nil {
		t.Fatal(err)
	}
	err = c.scan(ctx, "out", func(*kgo.Record) error { return nil })
	if err == nil || !strings.Contains(err.Error(), "open transaction") {
		t.Errorf("got %v", err)
	}
}

func TestBadChecks(t *testing.T) {
	for _, c := range []Check{{Workload: "guess", Inputs: []string{"in"}}, {Workload: "ssjoin", Inputs: []string{"in"}}} {
		if _, err := c.Run(t.Context()); err == nil {
			t.Errorf("%+v ran", c)
		}
	}
	if (&Verdict{}).Err() == nil {
		t.Error("nothing to compare passed")
	}
}

// sink writes a topic that is to be checked.
type sink struct {
	t      *testing.T
	cl     *kgo.Client
	failed chan error
}

// newSink makes the topic anew.
func newSink(t *testing.T, c Cluster, topic string) *sink {
	t.Helper()
	if _, err := c.CreateTopic(t.Context(), topic, 3, true); err != nil {
		t.Fatal(err)
	}
	cl, err := c.Client(kgo.DefaultProduceTopic(topic))
	if err != nil {
		t.Fatal(err)
	}
	return &sink{t, cl, make(chan error, 1)}
}

func (s *sink) put(key, value []byte) {
	s.cl.Produce(context.Background(), &kgo.Record{Key: key, Value: value}, func(_ *kgo.Record, err error) {
		if err != nil {
			select {
			case s.failed <- err:
			default:
			}
		}
	})
}

func (s *sink) close() {
	s.t.Helper()
	defer s.cl.Close()
	if err := s.cl.Flush(s.t.Context()); err != nil {
		s.t.Fatal(err)
	}
	select {
	case err := <-s.failed:
		s.t.Fatal(err)
	default:
	}
}

// writeRows writes an aggregate's rows with one fault, in the first row, and rows
// of flush keys. In update mode each row comes after a wrong value and a tombstone
// for the last-value rule to skip.
func (s *sink) writeRows(agg aggregate, final bool, f fault) {
	s.t.Helper()
	keys, err := flushKeys(3)
	if err != nil {
		s.t.Fatal(err)
	}
	for _, key := range keys {
		s.put(binary.BigEndian.AppendUint64(key[:], BaseTimestamp), count(1))
	}
	agg.each(func(k outKey, n int64) {
		if !final {
			s.put(wire(agg, k), count(n-1))
			s.put(wire(agg, k), nil)
		}
		s.writeRow(agg, k, n, f)
		f = none
	})
}

func (s *sink) writeRow(agg aggregate, k outKey, n int64, f fault) {
	key := wire(agg, k)
	switch f {
	case wrong:
		n++
	case unexpected:
		s.put(wire(agg, outKey{1 << 40, k.a, k.b}), count(1))
	case missing:
		return
	case repeated:
		s.put(key, count(n))
	case tombstone:
		s.put(key, nil)
	}
	s.put(key, count(n))
}

// wire is the output key as bytes.
func wire(agg aggregate, k outKey) []byte {
	var id [KeySize]byte
	PutKey(&id, k.id)
	key := id[:]
	for _, v := range []int64{k.a, k.b}[:agg.keyInts()] {
		key = binary.BigEndian.AppendUint64(key, uint64(v))
	}
	return key
}

func count(n int64) []byte { return binary.BigEndian.AppendUint64(nil, uint64(n)) }

// Topics that are to go are gone when the call returns, the others are left alone.
func TestDeleteTopics(t *testing.T) {
	c := embedded(t)
	ctx := t.Context()
	for _, topic := range []string{"app-a-changelog", "app-b-changelog", "app"} {
		if _, err := c.CreateTopic(ctx, topic, 2, false); err != nil {
			t.Fatal(err)
		}
	}
	changelogs := func(topic string) bool { return strings.HasSuffix(topic, "-changelog") }
	for range 2 { // the second time there is nothing to do
		if err := c.DeleteTopics(ctx, changelogs); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := c.Partitions(ctx, "app-a-changelog"); err == nil {
		t.Error("a deleted topic is still there")
	}
	if id, err := c.TopicID(ctx, "app"); err != nil || id == [16]byte{} {
		t.Errorf("the other topic: id %x, %v", id, err)
	}
}

func TestRange(t *testing.T) {
	c := embedded(t)
	s := newSink(t, c, "out")
	s.put([]byte("a"), nil)
	s.put([]byte("b"), nil)
	s.close()
	start, end, err := c.Range(t.Context(), "out")
	if err != nil || len(start) != 3 || sum(start) != 0 || len(end) != 3 || sum(end) != 2 {
		t.Errorf("from %v to %v, %v", start, end, err)
	}
}
