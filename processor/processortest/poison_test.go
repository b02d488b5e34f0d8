package processortest

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace/processor/internal/graph"
	"github.com/millrace/millrace/processor/internal/task"
	"github.com/millrace/millrace/processor/stream"
	"github.com/millrace/millrace/schemaregistry/serde"
	"github.com/millrace/millrace/windowing"
)

// check is user code that fails, or panics, at one place for values that say so.
func check(place, value string) error {
	if strings.HasSuffix(value, "@"+place) {
		return errors.New("it fails at " + place)
	}
	if strings.HasSuffix(value, "@"+place+"!") {
		panic("it panics at " + place)
	}
	return nil
}

// A bag is an aggregate that is changed in place.
type bag map[string]int

func bagging(place string) stream.TryAggregator[string, string, bag] {
	return stream.TryAggregator[string, string, bag]{
		State: serde.JSON[bag](),
		Zero:  func() bag { return bag{} },
		Add: func(_ *stream.Context, r *stream.Record[string, string], b bag) (bag, error) {
			b[r.Value]++
			b["sum"] += len(r.Value)
			return b, check(place, r.Value)
		},
		Merge: func(_ string, a, b bag) (bag, error) { return together(a, b), nil },
	}
}

func together(a, b bag) bag {
	for k, n := range b {
		a[k] += n
	}
	return a
}

func textTopic(name string) stream.Topic[string, string] {
	return stream.Topic[string, string]{Name: name, Key: serde.String, Value: serde.String}
}

type textStream = stream.Stream[string, string]

// spoilable are parts of topologies that remember something of each record.
var spoilable = map[string]func(in textStream){
	"tables": func(in textStream) {
		stream.To(stream.Count("count", stream.GroupByKey(in)).Changes(), stream.Topic[string, int64]{Name: "count", Key: serde.String, Value: serde.Int64})
		bags := stream.TryAggregate("bags", stream.GroupByKey(in), bagging("agg"), stream.Emit(windowing.OnUpdate))
		stream.To(bags.Changes(), stream.Topic[string, bag]{Name: "bags", Key: serde.String, Value: serde.JSON[bag]()})
	},
	"processors": func(in textStream) {
		one := stream.Process("one", in, bagged("agg"), stream.Uses(bags))
		stream.To(one, textTopic("one"))
		stream.To(stream.Process("two", one, bagged("two"), stream.Uses(bags)), textTopic("two"))
	},
	"suppressed": func(in textStream) {
		counts := stream.Count("count", stream.GroupByKey(in), stream.Emit(windowing.OnUpdate)).Changes()
		for i, w := range []windowing.Suppression{
			windowing.UntilTimeLimit(40*time.Millisecond, windowing.EmitEarly).MaxRecords(100),
			windowing.UntilTimeLimit(time.Hour, windowing.EmitEarly).MaxRecords(3),
		} {
			name := fmt.Sprintf("held-%d", i)
			stream.To(stream.Suppress(name, counts, w, serde.Int64), stream.Topic[string, int64]{Name: name, Key: serde.String, Value: serde.Int64})
		}
	},
	"aligned": func(in textStream) {
		for i, e := range []windowing.Emit{windowing.OnClose, windowing.OnCommit, windowing.OnUpdate, windowing.OnTime} {
			w := windowing.Hopping(60*time.Millisecond, 20*time.Millisecond).Grace(30 * time.Millisecond).Emit(e)
			if e == windowing.OnClose {
				w = w.Early(25 * time.Millisecond)
			}
			windowedBags(in, fmt.Sprintf("aligned-%d", i), w)
		}
	},
	"panes": func(in textStream) {
		w := windowing.Hopping(60*time.Millisecond, 20*time.Millisecond).Grace(30 * time.Millisecond).Emit(windowing.OnClose)
		stream.To(stream.CountWindows("panes", stream.Window(stream.GroupByKey(in), w)).Results, stream.Topic[windowing.Key[string], int64]{
			Name: "panes", Key: windowing.ResultKeySerde(serde.String, w), Value: serde.Int64,
		})
	},
	"sessions": func(in textStream) {
		for i, e := range []windowing.Emit{windowing.OnClose, windowing.OnCommit, windowing.OnUpdate, windowing.OnTime} {
			w := windowing.Session(15 * time.Millisecond).Grace(30 * time.Millisecond).Emit(e)
			if e == windowing.OnClose {
				w = w.Early(25 * time.Millisecond)
			}
			windowedBags(in, fmt.Sprintf("sessions-%d", i), w)
		}
	},
	"sliding": func(in textStream) {
		for i, e := range []windowing.Emit{windowing.OnClose, windowing.OnCommit, windowing.OnUpdate, windowing.OnTime} {
			w := windowing.Sliding(20 * time.Millisecond).Grace(30 * time.Millisecond).Emit(e)
			if e == windowing.OnClose {
				w = w.Early(25 * time.Millisecond)
			}
			windowedBags(in, fmt.Sprintf("sliding-%d", i), w)
		}
	},
	"repartitioned": func(in textStream) {
		again := stream.GroupBy("again", in, func(k, v string) string { return v[:1] }, serde.String, serde.String)
		w := windowing.Tumbling(30 * time.Millisecond).Grace(30 * time.Millisecond).Emit(windowing.OnClose)
		results := stream.TryAggregateWindows("tumbling", stream.Window(again, w), bagging("agg")).Results
		stream.To(results, stream.Topic[windowing.Key[string], bag]{Name: "tumbling", Key: windowing.ResultKeySerde(serde.String, w), Value: serde.JSON[bag]()})
	},
}

func windowedBags(in textStream, name string, w windowing.Definition) {
	results := stream.TryAggregateWindows(name, stream.Window(stream.GroupByKey(in), w), bagging("agg")).Results
	stream.To(results, stream.Topic[windowing.Key[string], bag]{Name: name, Key: windowing.ResultKeySerde(serde.String, w), Value: serde.JSON[bag]()})
}

// spoiled is a topology that has effects, then a part that remembers, and then
// refuses records for all that is wrong with them.
func spoiled(part func(textStream)) func(*stream.Builder) {
	return func(b *stream.Builder) {
		b.DeadLetter("dead")
		in := stream.From(b, textTopic("in"), stream.Watermark(windowing.Bounded(20*time.Millisecond)))
		stream.To(in, textTopic("copied"))
		part(in)
		end := stream.TryMapValues(in, func(_ *stream.Context, r *stream.Record[string, string]) (string, error) {
			if strings.HasSuffix(r.Value, "@large") {
				return strings.Repeat("x", 2000), nil
			}
			return r.Value, check("end", r.Value)
		})
		stream.To(end, textTopic("strict"))
	}
}

// strict is a topic that refuses what brokers refuse.
func strict(at time.Time) Option {
	return func(d *Driver) {
		d.now = at.UnixMilli()
		d.limits = map[string]*graph.Limits{"strict": {MaxBytes: 1000, Before: 10_000, After: graph.NoBound, Compacted: true}}
	}
}

// careful has all tasks careful from the start.
func careful(d *Driver) {
	for _, x := range d.tasks {
		x.careful = task.CarefulRecords
		if err := x.abort(); err != nil {
			d.t.Fatal(err)
		}
	}
}

// A spoiler puts in records, bad ones among them if it is to, and disturbs.
type spoiler struct {
	bad, faults bool
	seed        uint64
	part        string
	kinds       map[string]int // bad records that were put in
}

const spoiledRecords = 250

func (s *spoiler) input(d *Driver) {
	start := time.UnixMilli(1_000_000)
	in := Input(d, textTopic("in"))
	good, bad, disturb := rand.New(rand.NewPCG(s.seed, 1)), rand.New(rand.NewPCG(s.seed, 2)), rand.New(rand.NewPCG(s.seed, 3))
	kinds := []string{"@end", "@end!", "@large", "old", "keyless", "@agg", "@agg!"}
	if s.part == "panes" || s.part == "suppressed" || s.part == "repartitioned" {
		kinds = kinds[:5] // nothing minds the others, or not before the record has gone through here
	}
	s.kinds = map[string]int{}
	for i := range spoiledRecords {
		at := start.Add(time.Duration(i)*3*time.Millisecond - time.Duration(good.IntN(30))*time.Millisecond)
		in.Put(at, fmt.Sprintf("k%d", good.IntN(6)), fmt.Sprintf("%d", good.IntN(3)))
		for s.bad && bad.IntN(3) == 0 {
			kind := kinds[bad.IntN(len(kinds))]
			s.kinds[kind]++
			when := at.Add(-time.Duration(bad.IntN(20)) * time.Millisecond)
			key, value := fmt.Appendf(nil, "k%d", bad.IntN(9)), []byte("7"+kind)
			switch kind {
			case "old":
				when = start.Add(-20 * time.Second)
			case "keyless":
				key = nil
			}
			in.PutTo(0, when, key, value)
		}
		switch n := disturb.IntN(20); {
		case n == 0:
			d.Commit()
		case s.faults && n == 1:
			d.Abort()
		case s.faults && n == 2:
			d.Crash()
		case s.faults && n == 3:
			d.LoseState()
		}
	}
	d.Commit()
	d.AdvanceTo(start.Add(time.Hour))
	d.Commit()
}

// TestABadRecordLeavesNoTrace: whatever is wrong with records, and wherever they
// fail, what is committed and counted is what it is without them, key by key
// and in order, and what is kept too. Each of them is a dead letter.
func TestABadRecordLeavesNoTrace(t *testing.T) {
	for name, part := range spoilable {
		t.Run(name, func(t *testing.T) {
			for seed := range uint64(8) {
				want, got := &spoiler{part: name, seed: seed}, &spoiler{part: name, seed: seed, bad: true}
				a, b := New(t, spoiled(part), strict(time.UnixMilli(1_000_000))), New(t, spoiled(part), strict(time.UnixMilli(1_000_000)))
				careful(b)
				want.input(a)
				got.input(b)
				same(t, a, b)
				got.checkLetters(t, b)
			}
		})
	}
}

// TestABadRecordLeavesNoTraceBesideFaults: the same where tasks are not careful
// at first and things are aborted, crash and are lost. The last values are
// compared, and the accounts.
func TestABadRecordLeavesNoTraceBesideFaults(t *testing.T) {
	for name, part := range spoilable {
		t.Run(name, func(t *testing.T) {
			for seed := range uint64(8) {
				want, got := &spoiler{part: name, seed: seed}, &spoiler{part: name, seed: seed, bad: true, faults: true}
				a, b := New(t, spoiled(part), strict(time.UnixMilli(1_000_000))), New(t, spoiled(part), strict(time.UnixMilli(1_000_000)))
				want.input(a)
				got.input(b)
				if diff := difference(withoutLetters(lastValues(a)), withoutLetters(lastValues(b))); diff != "" {
					t.Fatalf("seed %d: %s", seed, diff)
				}
				got.checkLetters(t, b)
				checkAccounts(t, b)
			}
		})
	}
}

func withoutLetters(last map[string]string) map[string]string {
	for place := range last {
		if strings.HasPrefix(place, `topic "dead"`) {
			delete(last, place)
		}
	}
	return last
}

func (s *spoiler) checkLetters(t *testing.T, d *Driver) {
	t.Helper()
	got := map[string]int{}
	for _, o := range d.written["dead"].outs {
		got[strings.TrimPrefix(string(o.Value), "7")]++
	}
	if fmt.Sprint(s.kinds) != fmt.Sprint(got) {
		t.Fatalf("dead letters %v, bad records %v", got, s.kinds)
	}
}

// same compares everything that was committed, counted and kept.
func same(t *testing.T, a, b *Driver) {
	t.Helper()
	for topic := range a.written {
		if topic == "dead" {
			continue
		}
		x, y := outputText(a, topic), outputText(b, topic)
		for i := range max(len(x), len(y)) {
			if i >= len(x) || i >= len(y) || x[i] != y[i] {
				t.Fatalf("topic %q, record %d: without bad records %q, with them %q", topic, i, x[i:min(i+3, len(x))], y[i:min(i+3, len(y))])
			}
		}
	}
	checkAccounts(t, b)
	for i, x := range a.tasks {
		y := b.tasks[i]
		for id := range x.counted {
			if node := x.sub.Nodes[0].ID; graph.NodeID(id) != node && fmt.Sprint(x.counted[id]) != fmt.Sprint(y.counted[id]) {
				t.Fatalf("task %v node %d counts %+v, without bad records %+v", x.id, id, y.counted[id], x.counted[id])
			}
		}
		for s := range x.changelog {
			if k, l := folded(x, s), folded(y, s); fmt.Sprint(k) != fmt.Sprint(l) {
				t.Fatalf("task %v store %q: changelog %q, without bad records %q", x.id, x.sub.Stores[s].Name, l, k)
			}
		}
	}
}

// outputText is what a topic got, by key and in order: in which order keys are sent
// that have changed together is as free as over a restart.
func outputText(d *Driver, topic string) (all []string) {
	for _, o := range d.written[topic].outs {
		all = append(all, fmt.Sprintf("%d %q=%q at %d %s", o.Partition, o.Key, o.Value, o.Timestamp, headerText(o.Headers)))
	}
	slices.SortStableFunc(all, func(a, b string) int {
		x, _, _ := strings.Cut(a, "=")
		y, _, _ := strings.Cut(b, "=")
		return strings.Compare(x, y)
	})
	return all
}

// folded is what a changelog comes to, but for the position.
func folded(x *driven, store int) (all []string) {
	last := map[string][]byte{}
	for _, r := range x.changelog[store] {
		if len(r.Key) > 1 {
			last[string(r.Key)] = bytes.Clone(r.Value)
		}
	}
	for k, v := range last {
		if v != nil {
			all = append(all, fmt.Sprintf("%q=%q", k, v))
		}
	}
	slices.Sort(all)
	return all
}

func checkAccounts(t *testing.T, d *Driver) {
	t.Helper()
	for _, x := range d.tasks {
		for id := range x.counted {
			c := &x.counted[id]
			sum := c.Processed
			for _, n := range c.Dropped {
				sum += n
			}
			if sum != c.In {
				t.Fatalf("task %v node %d: in %d, processed and dropped %d", x.id, id, c.In, sum)
			}
		}
	}
}
