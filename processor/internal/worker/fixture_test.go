package worker

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/millrace/millrace/processor/internal/graph"
	"github.com/millrace/millrace/processor/internal/restore"
	"github.com/millrace/millrace/processor/internal/task"
	"github.com/millrace/millrace/schemaregistry/serde"
	"github.com/millrace/millrace/state"
	"github.com/millrace/millrace/windowing"
)

// counting is the application of these tests: it counts the records of each key
// and writes "count:offset" of each record. A value "poison" fails after it has
// been counted; "twice" writes two results; "silent" none.
func counting(t *testing.T, policy graph.ErrorPolicy) *graph.Topology {
	t.Helper()
	b := graph.NewBuilder("counting")
	b.SetPolicy(policy)
	in := b.Add(graph.Node{Name: "source:in", Kind: graph.SourceNode, Topic: "in", Watermarks: windowing.Ascending(), Instantiate: sourceOf})
	counts := state.KV[string, int64]{Name: "counts", Key: serde.String, Value: serde.Int64}
	b.AddStore("count", counts.Spec())
	op := b.Add(graph.Node{Name: "count", Kind: graph.OperatorNode, Stores: []string{counts.Name}, Instantiate: countOf(counts)}, graph.Edge{From: in})
	b.Add(graph.Node{Name: "sink:out", Kind: graph.SinkNode, Topic: "out", Instantiate: sinkOf}, graph.Edge{From: op})
	g, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// passing copies in to out and keeps no state. A value "drop" goes nowhere.
func passing(t *testing.T) *graph.Topology {
	t.Helper()
	b := graph.NewBuilder("passing")
	in := b.Add(graph.Node{Name: "source:in", Kind: graph.SourceNode, Topic: "in", Watermarks: windowing.Ascending(), Instantiate: sourceOf})
	b.Add(graph.Node{Name: "sink:out", Kind: graph.SinkNode, Topic: "out", Instantiate: sinkOf}, graph.Edge{From: in})
	g, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	return g
}

type record = graph.Record[string, []byte]

type testSource struct {
	down graph.Receiver[string, []byte]
	env  *graph.Env
}

func sourceOf(env *graph.Env, node *graph.Node, children [][]any) (graph.Instance, error) {
	down, err := graph.Fan[string, []byte](node, children[0])
	return graph.Instance{Source: &testSource{down, env}}, err
}

func (s *testSource) Time(m *graph.Message) (windowing.EventTime, error) {
	return windowing.EventTime(m.Timestamp), nil
}

func (s *testSource) Mark(*graph.Message) (windowing.EventTime, bool, error) { return 0, false, nil }

func (s *testSource) Push(m *graph.Message, at, _ windowing.EventTime) error {
	if string(m.Value) == "drop" {
		return nil
	}
	return s.down(&record{Key: string(m.Key), Value: m.Value, Time: at})
}

func countOf(counts state.KV[string, int64]) func(*graph.Env, *graph.Node, [][]any) (graph.Instance, error) {
	return func(env *graph.Env, node *graph.Node, children [][]any) (graph.Instance, error) {
		down, err := graph.Fan[string, []byte](node, children[0])
		if err != nil {
			return graph.Instance{}, err
		}
		store, err := counts.Open(env)
		if err != nil {
			return graph.Instance{}, err
		}
		return graph.Instance{Receive: graph.One(func(r *record) error {
			n, _, err := store.Get(r.Key)
			if err != nil {
				return err
			}
			if err := store.Put(r.Key, n+1); err != nil {
				return err
			}
			origin, _ := env.Context.Origin()
			value := fmt.Appendf(nil, "%d:%d", n+1, origin.Offset)
			switch v := string(r.Value); {
			case v == "poison":
				return &graph.RecordError{Operator: node.Name, Phase: graph.PhaseProcess, Err: errors.New("poisoned")}
			case strings.HasPrefix(v, "large"):
				size, _ := strconv.Atoi(v[len("large"):])
				value = make([]byte, size)
			}
			return down(&record{Key: r.Key, Value: value, Time: r.Time})
		})}, nil
	}
}

func sinkOf(env *graph.Env, node *graph.Node, _ [][]any) (graph.Instance, error) {
	return graph.Instance{Receive: graph.One(func(r *record) error {
		key := []byte(r.Key)
		env.Outbox.Send(graph.Out{
			Topic: node.Topic, Partition: env.Partition(key, env.Partitions[node.Topic]), Timestamp: int64(r.Time), Key: key, Value: r.Value,
		})
		return nil
	})}, nil
}

// A cluster is a fake broker for one test.
type cluster struct {
	*kfake.Cluster
	t    *testing.T
	opts []kgo.Opt
}

func newCluster(t *testing.T, partitions int32, topics ...string) *cluster {
	t.Helper()
	c, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(partitions, topics...))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return &cluster{c, t, []kgo.Opt{kgo.SeedBrokers(c.ListenAddrs()...)}}
}

func (c *cluster) client(opts ...kgo.Opt) *kgo.Client {
	c.t.Helper()
	cl, err := kgo.NewClient(append(c.opts[:len(c.opts):len(c.opts)], opts...)...)
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(cl.Close)
	return cl
}

// A row is one record of a test, without its place.
type row struct {
	partition  int32
	key, value string
}

// load writes rows to topic "in".
func (c *cluster) load(rows ...row) {
	c.t.Helper()
	cl := c.client(kgo.RecordPartitioner(kgo.ManualPartitioner()))
	for i, r := range rows {
		rec := &kgo.Record{Topic: "in", Partition: r.partition, Key: []byte(r.key), Value: []byte(r.value), Timestamp: time.UnixMilli(int64(1000 + i))}
		if err := cl.ProduceSync(context.Background(), rec).FirstErr(); err != nil {
			c.t.Fatal(err)
		}
	}
}

// rows makes n records per partition over some keys.
func rows(partitions, n, keys int) (all []row) {
	for i := range n {
		for p := range partitions {
			all = append(all, row{int32(p), fmt.Sprintf("p%d-k%d", p, i%keys), "v" + strconv.Itoa(i)})
		}
	}
	return all
}

// output reads the committed records of a topic until there are n, then waits
// a little for more than there should be.
func (c *cluster) output(topic string, n int) []*kgo.Record {
	c.t.Helper()
	cl := c.client(kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.FetchMaxWait(50*time.Millisecond))
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	var all []*kgo.Record
	for len(all) < n && ctx.Err() == nil {
		all = append(all, cl.PollFetches(ctx).Records()...)
	}
	more, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
	defer cancel()
	for more.Err() == nil {
		all = append(all, cl.PollFetches(more).Records()...)
	}
	if len(all) != n {
		c.t.Fatalf("topic %q has %d committed records, want %d", topic, len(all), n)
	}
	return all
}

// checkCounts folds the output of counting: for each key the counts 1..n in
// their order, and each source record once.
func (c *cluster) checkCounts(input []row) {
	c.t.Helper()
	want := map[string]int{}
	total := 0
	for _, r := range input {
		want[r.key]++
		total++
	}
	got := map[string]int{}
	for _, r := range c.output("out", total) {
		count, _, _ := strings.Cut(string(r.Value), ":")
		got[string(r.Key)]++
		if count != strconv.Itoa(got[string(r.Key)]) {
			c.t.Errorf("key %s: result %d is %s", r.Key, got[string(r.Key)], r.Value)
		}
	}
	for k, n := range want {
		if got[k] != n {
			c.t.Errorf("key %s: %d results, want %d", k, got[k], n)
		}
	}
}

// A witness collects what workers report.
type witness struct {
	mu       sync.Mutex
	log      []string
	commits  int
	aborts   int
	unknowns int
	restored map[task.ID]restore.Restoration
	warnings []error
	seats    []string // seated, unseated
	answers  []bool
	changed  chan struct{}
}

func newWitness(t *testing.T) *witness {
	w := &witness{restored: map[task.ID]restore.Restoration{}, changed: make(chan struct{}, 1)}
	t.Cleanup(func() {
		if t.Failed() {
			w.locked(func() { t.Logf("the worker said:\n%s", strings.Join(w.log, "\n")) })
		}
	})
	return w
}

func (w *witness) note(format string, args ...any) {
	w.log = append(w.log, fmt.Sprintf(format, args...))
	select {
	case w.changed <- struct{}{}:
	default:
	}
}

func (w *witness) locked(f func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	f()
}

func (w *witness) events() Events {
	return Events{
		Seated: func(coming int) {
			w.locked(func() { w.seats = append(w.seats, "seated"); w.note("seated, %d coming", coming) })
		},
		Unseated:     func() { w.locked(func() { w.seats = append(w.seats, "unseated"); w.note("unseated") }) },
		Answered:     func(ok bool) { w.locked(func() { w.answers = append(w.answers, ok); w.note("answered %v", ok) }) },
		TaskAssigned: func(id task.ID) { w.locked(func() { w.note("assigned %v", id) }) },
		TaskRestored: func(id task.ID, r restore.Restoration) {
			w.locked(func() { w.restored[id] = r; w.note("restored %v %+v", id, r) })
		},
		TaskRevoked: func(id task.ID) { w.locked(func() { w.note("revoked %v", id) }) },
		Committed:   func(c Committed) { w.locked(func() { w.commits++; w.note("committed %+v", c) }) },
		Aborted:     func(err error) { w.locked(func() { w.aborts++; w.note("aborted %v", err) }) },
		Unknown:     func(err error) { w.locked(func() { w.unknowns++; w.note("unknown %v", err) }) },
		Poisoned:    func(p task.Poison) { w.locked(func() { w.note("poisoned %v", p.Origin) }) },
		Warning:     func(err error) { w.locked(func() { w.warnings = append(w.warnings, err); w.note("warning %v", err) }) },
	}
}

// wait blocks until ok, which is called with the lock held.
func (w *witness) wait(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.After(30 * time.Second)
	for {
		good := false
		w.locked(func() { good = ok() })
		if good {
			return
		}
		select {
		case <-w.changed:
		case <-time.After(20 * time.Millisecond):
		case <-deadline:
			w.locked(func() { t.Fatalf("%s did not happen; log:\n%s", what, strings.Join(w.log, "\n")) })
		}
	}
}

func (c *cluster) config(g *graph.Topology, s state.Storage, w *witness) Config {
	return Config{
		ApplicationID: "app", Graph: g, Storage: s, Client: c.opts, Events: w.events(),
		CommitInterval: 20 * time.Millisecond, SessionTimeout: 6 * time.Second, HeartbeatInterval: 100 * time.Millisecond,
	}
}

// A process is a worker that runs.
type process struct {
	t    *testing.T
	stop context.CancelFunc
	done chan error
}

func start(t *testing.T, cfg Config) *process {
	t.Helper()
	w, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	p := &process{t, cancel, make(chan error, 1)}
	go func() {
		var err error
		defer func() {
			if r := recover(); r != nil && r != errCrash {
				panic(r)
			} else if r != nil {
				err = errCrash
			}
			p.done <- err
		}()
		err = w.Run(ctx)
	}()
	t.Cleanup(func() { cancel() })
	return p
}

// errCrash is the panic by which a test kills a worker.
var errCrash = errors.New("crash")

func (p *process) wait() error {
	p.t.Helper()
	select {
	case err := <-p.done:
		return err
	case <-time.After(40 * time.Second):
		p.t.Fatal("the worker does not end")
		return nil
	}
}

func (p *process) end() {
	p.t.Helper()
	p.stop()
	if err := p.wait(); err != nil {
		p.t.Fatal(err)
	}
}
