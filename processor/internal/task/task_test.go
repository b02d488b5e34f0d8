package task_test

import (
	"errors"
	"math"
	"reflect"
	"strings"
	"testing"

	"github.com/millrace/millrace/processor/internal/graph"
	"github.com/millrace/millrace/processor/internal/partitioner"
	"github.com/millrace/millrace/processor/internal/task"
	"github.com/millrace/millrace/processor/stream"
	"github.com/millrace/millrace/schemaregistry/serde"
	"github.com/millrace/millrace/state"
)

var (
	left  = stream.Topic[string, string]{Name: "left", Key: serde.String, Value: serde.String}
	right = stream.Topic[string, string]{Name: "right", Key: serde.String, Value: serde.String}
	out   = stream.Topic[string, string]{Name: "out", Key: serde.String, Value: serde.String}
	total = stream.Topic[string, int64]{Name: "total", Key: serde.String, Value: serde.Int64}
)

func merged(b *stream.Builder) {
	stream.To(stream.From(b, left).Merge(stream.From(b, right)), out)
}

func counted(b *stream.Builder) {
	b.DeadLetter("dead", stream.Future, stream.NullKey)
	in := stream.From(b, left)
	stream.To(in, out) // comes first: a record that fails below has had effects
	checked := stream.TryMapValues(in, func(_ *stream.Context, r *stream.Record[string, string]) (string, error) {
		switch r.Value {
		case "bad":
			return "", errors.New("bad value")
		case "panic":
			panic("user code")
		}
		return r.Value, nil
	})
	stream.To(stream.Count("totals", stream.GroupByKey(checked)).Changes(), total)
}

// config is a task over fresh stores; its inputs start at offset 0.
func config(t *testing.T, build func(*stream.Builder)) task.Config {
	t.Helper()
	b := stream.New("test")
	build(b)
	topology, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	return configOf(t, topology)
}

func configOf(t *testing.T, topology *graph.Topology) task.Config {
	t.Helper()
	sub := topology.Subtopologies()[0]
	cfg := task.Config{
		ApplicationID: "app", Subtopology: sub, Partition: partitioner.New(),
		MaxIdle:    -1,
		Partitions: map[string]int32{"out": 1, "total": 1, "dead": 1},
	}
	for _, topic := range sub.Sources {
		cfg.Inputs = append(cfg.Inputs, task.Input{Topic: topic, Watermark: math.MinInt64, End: math.MaxInt64})
	}
	if len(sub.Stores) > 0 {
		var err error
		cfg.Stores, err = state.NewMemory().Open("0_0", state.Identity{ApplicationID: "app", Task: "0_0"}, sub.Stores)
		if err != nil {
			t.Fatal(err)
		}
	}
	return cfg
}

func newTask(t *testing.T, cfg task.Config) *task.Task {
	t.Helper()
	x, err := task.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return x
}

func messages(offset int64, values ...string) []graph.Message {
	var ms []graph.Message
	for i, v := range values {
		ms = append(ms, graph.Message{Key: []byte("k"), Value: []byte(v), Offset: offset + int64(i), Timestamp: (offset + int64(i)) * 10})
	}
	return ms
}

func feed(t *testing.T, x *task.Task, input int, ms []graph.Message) {
	t.Helper()
	if err := x.Enqueue(input, ms, ms[len(ms)-1].Offset+1); err != nil {
		t.Fatal(err)
	}
}

func step(t *testing.T, x *task.Task) int {
	t.Helper()
	n, err := x.Step(math.MaxInt64, 1000)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func prepare(t *testing.T, x *task.Task) *task.Commit {
	t.Helper()
	c, err := x.Prepare()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func values(c *task.Commit, topic string) string {
	var vs []string
	for _, o := range c.Outputs {
		if o.Topic == topic {
			vs = append(vs, string(o.Value))
		}
	}
	return strings.Join(vs, " ")
}

func TestRecordsMustFollowOn(t *testing.T) {
	x := newTask(t, config(t, merged))
	feed(t, x, 0, messages(5, "a", "b"))
	if err := x.Enqueue(0, messages(6, "b"), 7); err == nil || !strings.Contains(err.Error(), `"left"`) {
		t.Errorf("an offset that was there before: %v", err)
	}
	if err := x.Enqueue(0, nil, 3); err == nil {
		t.Error("a position that goes back")
	}
	if err := x.Enqueue(0, messages(9, "c"), 12); err != nil { // a gap, as compaction leaves
		t.Error(err)
	}
	step(t, x)
	if at := x.Position(0); at != 12 {
		t.Errorf("position %d: what lies behind the last record counts too", at)
	}
}

func TestPositionPassesGapsWithoutRecords(t *testing.T) {
	x := newTask(t, config(t, merged))
	if err := x.Enqueue(0, nil, 4); err != nil {
		t.Fatal(err)
	}
	if x.Position(0) != 4 || !x.Dirty() {
		t.Errorf("position %d, dirty %v", x.Position(0), x.Dirty())
	}
}

func TestBoundedTaskWaitsForEveryInputAndStopsAtTheEnd(t *testing.T) {
	cfg := config(t, merged)
	cfg.Run, cfg.LogicalNow = "run", 1_000_000
	cfg.Inputs[0].End, cfg.Inputs[1].End = 2, 1
	x := newTask(t, cfg)
	feed(t, x, 0, messages(0, "a", "b", "beyond"))
	if n := step(t, x); n != 0 {
		t.Errorf("%d records processed while the other input is unknown", n)
	}
	feed(t, x, 1, messages(0, "c"))
	if n := step(t, x); n != 3 {
		t.Errorf("%d of 3 records", n)
	}
	c := prepare(t, x)
	if got := values(c, "out"); got != "a c b" {
		t.Errorf("got %s", got)
	}
	if x.Finished() {
		t.Error("finished before the commit")
	}
	if err := x.Committed(nil, 0); err != nil || !x.Finished() {
		t.Errorf("finished %v, %v", x.Finished(), err)
	}
	for i, text := range c.Metadata {
		m, err := task.DecodeMeta(text)
		want := task.Meta{Watermark: m.Watermark, Highest: m.Highest, Noted: true, Run: "run", End: cfg.Inputs[i].End, LogicalNow: 1_000_000, Finished: true}
		if err != nil || !reflect.DeepEqual(m, want) {
			t.Errorf("metadata %+v, %v", m, err)
		}
		if m.Watermark == math.MaxInt64 {
			t.Error("an infinite watermark is stored")
		}
	}
}

func TestTheTaskGoesOnWhileCommitsArePending(t *testing.T) {
	cfg := config(t, counted)
	x := newTask(t, cfg)
	if err := x.Committed([]int64{0}, 0); err == nil {
		t.Error("Committed without Prepare")
	}
	var commits []*task.Commit
	for i, value := range []string{"a", "b"} {
		feed(t, x, 0, messages(int64(i), value))
		step(t, x)
		commits = append(commits, prepare(t, x))
		if x.Dirty() {
			t.Errorf("%q is prepared and still to be committed", value)
		}
	}
	feed(t, x, 0, messages(2, "c"))
	step(t, x)
	logged := int64(0)
	for i, c := range commits {
		if got, want := values(c, "out"), string(rune('a'+i)); got != want || c.Records != 1 || c.Offsets[0].Offset != int64(i+1) {
			t.Errorf("commit %d has %q, %d records, offset %d", i, got, c.Records, c.Offsets[0].Offset)
		}
		checkAccounts(t, c)
		logged += int64(len(c.Entries))
		if err := x.Committed([]int64{logged}, 0); err != nil {
			t.Fatal(err)
		}
		p, _ := cfg.Stores.Position(cfg.Subtopology.Stores[0].Name)
		if got := p.Inputs[0].Offset; got != int64(i+1) {
			t.Errorf("commit %d brought the state to offset %d", i, got)
		}
	}
	if c := prepare(t, x); values(c, "out") != "c" {
		t.Errorf("the third commit has %q", values(c, "out"))
	}
}

func checkAccounts(t *testing.T, commit *task.Commit) {
	t.Helper()
	for id, c := range commit.Counters {
		sum := c.Processed
		for _, n := range c.Dropped {
			sum += n
		}
		if c.In != sum {
			t.Errorf("node %d: in %d, processed and dropped %d", id, c.In, sum)
		}
	}
}

func TestDeadLetterTellsWhatHappened(t *testing.T) {
	x := newTask(t, config(t, counted))
	feed(t, x, 0, []graph.Message{
		{Value: []byte("no key"), Offset: 7, Timestamp: 5, Headers: []graph.Header{{Key: "trace", Value: []byte("t")}}},
	})
	step(t, x)
	c := prepare(t, x)
	checkAccounts(t, c)
	var letter graph.Out
	for _, o := range c.Outputs {
		if o.Topic == "dead" {
			letter = o
		}
	}
	got := map[string]string{}
	for _, h := range letter.Headers {
		got[h.Key] = string(h.Value)
	}
	for key, want := range map[string]string{
		"trace": "t", "__streams.errors.topic": "left", "__streams.errors.partition": "0", "__streams.errors.offset": "7",
		"__millrace.errors.reason": "null_key", "__millrace.errors.operator": "totals", "__millrace.errors.application.id": "app",
	} {
		if got[key] != want {
			t.Errorf("header %s is %q, want %q", key, got[key], want)
		}
	}
	if letter.Topic != "dead" || letter.Key != nil || string(letter.Value) != "no key" || letter.Timestamp != 5 {
		t.Errorf("letter %+v", letter)
	}
}

func TestWithoutAPolicyTheTaskFailsAndSaysWhere(t *testing.T) {
	x := newTask(t, config(t, func(b *stream.Builder) {
		refuse := func(*stream.Context, *stream.Record[string, string]) (string, error) {
			return "", errors.New("refused")
		}
		stream.To(stream.TryMapValues(stream.From(b, left), refuse, stream.Name("refuser")), out)
	}))
	feed(t, x, 0, messages(3, "a"))
	_, err := x.Step(math.MaxInt64, 1)
	if scope, _ := task.Classify(err); scope != task.TaskScope {
		t.Errorf("scope %v", scope)
	}
	for _, want := range []string{"task 0_0", `"left"`, "partition 0", "offset 3", `"refuser"`, "refused", "DeadLetter"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("the error does not mention %s: %v", want, err)
		}
	}
}

func FuzzDecodeMeta(f *testing.F) {
	f.Add(task.EncodeMeta(task.Meta{Watermark: -5}))
	f.Add(task.EncodeMeta(task.Meta{Watermark: 5, Run: "r", End: 7, LogicalNow: 8, Finished: true}))
	f.Add(task.EncodeMeta(task.Meta{Watermark: 5, Formats: []task.FormatNote{{Hash: 1, Words: "one"}, {Hash: 2}}}))
	f.Add("millrace1:AAAA")
	f.Add("")
	f.Fuzz(func(t *testing.T, s string) {
		m, err := task.DecodeMeta(s)
		if err != nil {
			if !errors.Is(err, task.ErrForeign) {
				t.Errorf("%q: %v is not ErrForeign", s, err)
			}
			return
		}
		again, err := task.DecodeMeta(task.EncodeMeta(m))
		if len(m.Upstream) > 0 { // see FuzzDecodeUpstream; the former encoding said more than is needed
			m.Upstream, again.Upstream = nil, nil
		}
		again.Noted = m.Noted // what is written is of now, whatever was read
		if err != nil || !reflect.DeepEqual(again, m) {
			t.Errorf("%+v became %+v, %v", m, again, err)
		}
	})
}
