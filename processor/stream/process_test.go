package stream_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace/processor/internal/task"
	"github.com/millrace/millrace/processor/processortest"
	"github.com/millrace/millrace/processor/stream"
	"github.com/millrace/millrace/schemaregistry/serde"
	"github.com/millrace/millrace/state"
	"github.com/millrace/millrace/windowing"
)

type (
	amounts   = stream.Processor[string, int64, string, int64]
	amountsTo = stream.ProcessContext[string, int64]
	amount    = stream.Record[string, int64]
)

// stateless makes a processor of a function that opens nothing.
func stateless(run amounts) func(state.Opener) (amounts, error) {
	return func(state.Opener) (amounts, error) { return run, nil }
}

// TestMistakesWithProcessors are told by Build.
func TestMistakesWithProcessors(t *testing.T) {
	nothing := stateless(func(*amountsTo, *amount) error { return nil })
	text := state.KV[string, string]{Name: "balances", Key: serde.String, Value: serde.String}
	for want, build := range map[string]func(*stream.Builder, stream.Stream[string, int64]){
		`operator "p": nothing makes its processor`: func(_ *stream.Builder, s stream.Stream[string, int64]) {
			stream.Process[string, int64, string, int64]("p", s, nil)
		},
		`operator "p": the option StateVersion has no effect`: func(_ *stream.Builder, s stream.Stream[string, int64]) {
			stream.Process("p", s, nothing, stream.StateVersion("2"))
		},
		`operator "p": store "w" is a window store`: func(_ *stream.Builder, s stream.Stream[string, int64]) {
			stream.Process("p", s, nothing, stream.Uses(state.Windowed[int64]{Name: "w", Value: serde.Int64}))
		},
		`operators "p" and "q" give different stores the name "balances"`: func(_ *stream.Builder, s stream.Stream[string, int64]) {
			stream.Process("p", s, nothing, stream.Uses(balances))
			stream.Process("q", s, nothing, stream.Uses(text))
		},
		`operators "p" and "q" give different stores the name "balances" (version: "1" and "2")`: func(_ *stream.Builder, s stream.Stream[string, int64]) {
			stream.Process("p", s, nothing, stream.Uses(balances), stream.StateVersion("1"))
			stream.Process("q", s, nothing, stream.Uses(balances), stream.StateVersion("2"))
		},
		`the name "balances" is used by two operators, "balances" and "p"`: func(_ *stream.Builder, s stream.Stream[string, int64]) {
			stream.Count("balances", stream.GroupByKey(s))
			stream.Process("p", s, nothing, stream.Uses(balances))
		},
		`operator "p": the changes of table "sums" are sent at commits`: func(_ *stream.Builder, s stream.Stream[string, int64]) {
			stream.Process("p", stream.Count("sums", stream.GroupByKey(s)).Changes(), nothing, stream.Uses(balances))
		},
		`GroupByKey: operator "p" changed the key`: func(_ *stream.Builder, s stream.Stream[string, int64]) {
			stream.GroupByKey(stream.Process("p", s, nothing))
		},
		`the option Uses has no effect on it: it belongs to Process`: func(_ *stream.Builder, s stream.Stream[string, int64]) {
			s.Filter(func(string, int64) bool { return true }, stream.Uses(balances))
		},
	} {
		b := stream.New("test")
		build(b, stream.From(b, orders))
		if _, err := b.Build(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("the error is %v, want %s", err, want)
		}
	}
}

// A refused is a test that expects a Fatal.
type refused struct {
	testing.TB
	why string
}

func (r *refused) Helper() {}

func (r *refused) Fatal(args ...any) { r.fail(args) }

func (r *refused) Fatalf(_ string, args ...any) { r.fail(args) }

func (r *refused) fail(args []any) {
	for _, a := range args {
		if err, ok := a.(error); ok {
			r.why += err.Error()
		}
	}
	panic(r)
}

// TestAProcessorOpensWhatItHasDeclared and no other store of its task.
func TestAProcessorOpensWhatItHasDeclared(t *testing.T) {
	r := &refused{TB: t}
	defer func() {
		if p := recover(); p != r || !strings.Contains(r.why, `operator "p": state: store "balances" is opened by an operator that has not declared it`) {
			t.Errorf("%v: the error is %s", p, r.why)
		}
	}()
	processortest.New(r, func(b *stream.Builder) {
		in := stream.From(b, orders)
		stream.Process("p", in, adding(1))
		stream.Process("q", in, adding(1), stream.Uses(balances))
	})
}

// TestAProcessorSeesAndSends the key, the value, the time, the headers and the
// origin of records with and without a key.
func TestAProcessorSeesAndSends(t *testing.T) {
	d := processortest.New(t, func(b *stream.Builder) {
		stream.To(stream.Process("p", stream.From(b, orders), stateless(func(c *amountsTo, r *amount) error {
			if from, ok := c.Origin(); !ok || from.Topic != "orders" {
				t.Errorf("the record comes from %+v, %v", from, ok)
			}
			if c.NullKey() {
				return c.Forward("nobody", r.Value)
			}
			if err := c.ForwardWith(r.Key, 1, r.Headers.With(stream.Header{Key: "h", Value: []byte("1")})); err != nil {
				return err
			}
			return c.Forward(r.Key, 2)
		})), totals)
	})
	in := processortest.Input(d, orders)
	in.Put(time.UnixMilli(10), "ann", 5)
	in.PutRaw(time.UnixMilli(20), nil, []byte{0, 0, 0, 0, 0, 0, 0, 6})
	d.Commit()
	got := processortest.Output(d, totals).Drain()
	if len(got) != 3 || len(got[0].Headers) != 1 || len(got[1].Headers) != 0 || got[0].Time.UnixMilli() != 10 || got[2].Key != "nobody" || got[2].Value != 6 {
		t.Errorf("%+v", got)
	}
}

// TestWhatFailsBehindAProcessorFailsItsRecord, though it says that all is well.
func TestWhatFailsBehindAProcessorFailsItsRecord(t *testing.T) {
	d := processortest.New(t, func(b *stream.Builder) {
		b.SkipErrors()
		sent := stream.Process("p", stream.From(b, orders), stateless(func(c *amountsTo, r *amount) error {
			_ = c.Forward(r.Key, r.Value)
			_ = c.Forward(r.Key, 1)
			return nil
		}))
		stream.To(stream.TryMapValues(sent, func(_ *stream.Context, r *amount) (int64, error) {
			if r.Value < 0 {
				return 0, errors.New("negative")
			}
			return r.Value, nil
		}), totals)
	})
	in := processortest.Input(d, orders)
	in.Put(time.UnixMilli(10), "ann", -5)
	in.Put(time.UnixMilli(20), "ann", 5)
	d.Commit()
	if got := processortest.Output(d, totals).Drain(); len(got) != 2 || got[0].Value != 5 || d.Dropped(stream.Failed) != 1 {
		t.Errorf("%d failed; sent %+v", d.Dropped(stream.Failed), got)
	}
}

// TestABrokenDiskIsNoFailureOfARecord: the policy must not skip what it breaks.
func TestABrokenDiskIsNoFailureOfARecord(t *testing.T) {
	e := newEngine(t, func(b *stream.Builder) {
		b.SkipErrors()
		stream.To(processed(stream.From(b, benchIn)), stream.Topic[benchKey, int64]{Name: "out", Key: benchIn.Key, Value: serde.Int64})
	})
	if err := e.task.Close(false); err != nil {
		t.Fatal(err)
	}
	if err := e.task.Enqueue(0, e.batch(), benchBatch); err != nil {
		t.Fatal(err)
	}
	_, err := e.task.Step(1<<62, 1)
	if scope, _ := task.Classify(err); err == nil || scope != task.TaskScope {
		t.Errorf("scope %v: %v", scope, err)
	}
}

// processed counts the records of each key in a store and sends each count.
func processed(s stream.Stream[benchKey, int64]) stream.Stream[benchKey, int64] {
	counts := state.KV[benchKey, int64]{Name: "counts", Key: benchIn.Key, Value: serde.Int64}
	open := func(o state.Opener) (stream.Processor[benchKey, int64, benchKey, int64], error) {
		store, err := counts.Open(o)
		return func(c *stream.ProcessContext[benchKey, int64], r *stream.Record[benchKey, int64]) error {
			n, _, err := store.Update(r.Key)
			if err != nil {
				return err
			}
			*n++
			return c.Forward(r.Key, *n)
		}, err
	}
	return stream.Process("counting", s, open, stream.Uses(counts))
}

// TestTombstonesDoNotReachAProcessor: they have no value to show it.
func TestTombstonesDoNotReachAProcessor(t *testing.T) {
	d := processortest.New(t, func(b *stream.Builder) {
		w := windowing.Session(time.Second).Emit(windowing.OnUpdate)
		sessions := stream.CountWindows("sessions", stream.Window(stream.GroupByKey(stream.From(b, orders)), w)).Results
		open := func(state.Opener) (stream.Processor[windowing.Key[string], int64, string, int64], error) {
			return func(c *amountsTo, r *stream.Record[windowing.Key[string], int64]) error {
				return c.Forward(r.Key.Key, r.Value)
			}, nil
		}
		stream.To(stream.Process("p", sessions, open), totals)
	})
	in := processortest.Input(d, orders)
	for i := range int64(2) {
		in.Put(time.UnixMilli(100*i), "ann", 1)
	}
	d.Commit()
	if got := processortest.Output(d, totals).Drain(); len(got) != 2 || d.Dropped(stream.NullValue) != 1 {
		t.Errorf("%d dropped; sent %+v", d.Dropped(stream.NullValue), got)
	}
}
