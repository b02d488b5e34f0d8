package processortest

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace/processor/stream"
	"github.com/millrace/millrace/schemaregistry/serde"
	"github.com/millrace/millrace/state"
	"github.com/millrace/millrace/windowing"
)

// bags are shared by the processors of these tests.
var bags = state.KV[string, bag]{Name: "bags", Key: serde.String, Value: serde.JSON[bag]()}

type bagger = stream.Processor[string, string, string, string]

// bagged makes a processor that puts each value into the bag of its key, in place,
// sends what the bag then has, and minds values that are bad at a place.
func bagged(place string) func(state.Opener) (bagger, error) {
	return func(o state.Opener) (bagger, error) {
		store, err := bags.Open(o)
		return func(c *stream.ProcessContext[string, string], r *stream.Record[string, string]) error {
			b, existed, err := store.Update(r.Key)
			if err != nil {
				return err
			}
			if !existed {
				*b = bag{}
			}
			(*b)[place]++
			(*b)["sum"] += len(r.Value)
			if err := check(place, r.Value); err != nil {
				return err
			}
			return c.Forward(r.Key, fmt.Sprint(*b))
		}, err
	}
}

// TestProcessorsAreExactlyOnce, with a store that two of them share, behind
// different topics, where records fail in the one and in what is behind the other.
func TestProcessorsAreExactlyOnce(t *testing.T) {
	build := func(b *stream.Builder) {
		b.DeadLetter("dead")
		one := stream.Process("one", stream.From(b, words), bagged("one"), stream.Uses(bags))
		two := stream.Process("two", stream.From(b, others), bagged("two"), stream.Uses(bags))
		stream.To(one.Merge(two), out)
		stream.To(stream.TryMapValues(two, func(_ *stream.Context, r *stream.Record[string, string]) (string, error) {
			return r.Value, check("behind", strings.ReplaceAll(r.Value, "sum:9", "@behind"))
		}), textTopic("checked"))
	}
	CheckExactlyOnce(t, build, func(d *Driver) {
		for i := range 200 {
			in := Input(d, []stream.Topic[string, string]{words, others}[i%2])
			value := []string{"a", "bb", "c@one", "d@one!", "e@two!", "f"}[i%6]
			in.Put(time.UnixMilli(int64(1000+i)), fmt.Sprint("k", i%5), value)
		}
	})
}

// TestTheOrderBehindAProcessor is promised where it follows from one log, also by
// way of the stores.
func TestTheOrderBehindAProcessor(t *testing.T) {
	process := func(name string, s textStream) textStream {
		return stream.Process(name, s, bagged(name), stream.Uses(bags))
	}
	for name, c := range map[string]struct {
		build func(textStream) textStream
		want  bool
	}{
		"alone":  {func(in textStream) textStream { return process("one", in) }, true},
		"shared": {func(in textStream) textStream { return process("two", process("one", in)) }, true},
		"with one behind commits": {func(in textStream) textStream {
			last := stream.Reduce("last", stream.GroupByKey(in), func(_, v string) string { return v }, serde.String)
			process("two", stream.EachUpdate(last.Changes()))
			return process("one", in)
		}, false},
		"with one behind updates": {func(in textStream) textStream {
			last := stream.Reduce("last", stream.GroupByKey(in), func(_, v string) string { return v }, serde.String, stream.Emit(windowing.OnUpdate))
			process("two", last.Changes())
			return process("one", in)
		}, true},
	} {
		d := New(t, func(b *stream.Builder) { stream.To(c.build(stream.From(b, words)), out) })
		if got := d.ordered("out"); got != c.want {
			t.Errorf("%s: ordered is %v", name, got)
		}
	}
}
