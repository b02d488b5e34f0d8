package processortest_test

import (
	"encoding/json"
	"fmt"
	"iter"
	"math"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/millrace/millrace/processor/processortest"
	"github.com/millrace/millrace/processor/stream"
	"github.com/millrace/millrace/schemaregistry/serde"
	"github.com/millrace/millrace/windowing"
)

// goldenLater names the operators that Millrace does not have yet, and why
// their cases are skipped.
var goldenLater = map[string]string{
	"stream_stream_join": "joins are not implemented",
	"stream_table_join":  "joins are not implemented",
	"table_table_join":   "joins are not implemented",
	"foreign_key_join":   "joins are not implemented",
	"table_aggregate":    "tables read from a topic are not implemented",
	"table_stateless":    "tables read from a topic are not implemented",
	"versioned_store":    "versioned stores are not implemented",
	"punctuation":        "punctuation is not implemented",
}

// A goldenOperator adds what a case asks for to b and says where its rows come
// out.
type goldenOperator func(t *testing.T, b *stream.Builder, c *goldenCase, emit windowing.Emit) []goldenOutlet

var goldenOperators = map[string]goldenOperator{
	"stateless":           goldenStateless,
	"timestamp_extractor": goldenExtractor,
	"aggregate":           goldenAggregate,
	"tumbling":            goldenWindows,
	"hopping":             goldenWindows,
	"session":             goldenWindows,
	"sliding":             goldenWindows,
	"suppress_time_limit": goldenSuppress,
}

// A goldenOutlet opens a sink topic; what it returns drains the rows committed
// since the last call.
type goldenOutlet func(d *processortest.Driver) func() []goldenRow

// goldenTopic is a topic of values as they stand in the golden files.
func goldenTopic(name string) stream.Topic[string, datum] {
	return stream.Topic[string, datum]{Name: name, Key: serde.String, Value: serde.Of[datum](datumCodec{})}
}

type datumCodec struct{}

func (datumCodec) Append(dst []byte, v datum) ([]byte, error) { return append(dst, v...), nil }

func (datumCodec) Decode(src []byte) (datum, error) {
	if !json.Valid(src) {
		return "", fmt.Errorf("%q is no JSON", src)
	}
	return datum(src), nil
}

// goldenTo writes a stream to a topic and returns the outlet behind it.
func goldenTo[V any](s stream.Stream[string, V], name string, value serde.Serde[V]) goldenOutlet {
	topic := stream.Topic[string, V]{Name: name, Key: serde.String, Value: value}
	stream.To(s, topic)
	return func(d *processortest.Driver) func() []goldenRow {
		out := processortest.Output(d, topic)
		return func() (rows []goldenRow) {
			for _, r := range out.Drain() {
				row := goldenRow{Topic: name, Key: &r.Key, Value: datumOf(r.Value), Time: r.Time.UnixMilli()}
				if r.NullKey {
					row.Key = nil
				}
				if r.Tombstone {
					row.Value = ""
				}
				rows = append(rows, row)
			}
			return rows
		}
	}
}

// goldenWindowsTo is goldenTo for results of windows.
func goldenWindowsTo[V any](s stream.Stream[windowing.Key[string], V], key serde.Serde[windowing.Key[string]], value serde.Serde[V]) goldenOutlet {
	topic := stream.Topic[windowing.Key[string], V]{Name: "out", Key: key, Value: value}
	stream.To(s, topic)
	return func(d *processortest.Driver) func() []goldenRow {
		out := processortest.Output(d, topic)
		return func() (rows []goldenRow) {
			for _, r := range out.Drain() {
				start, end := int64(r.Key.Window.Start), int64(r.Key.Window.End)
				row := goldenRow{Topic: "out", Key: &r.Key.Key, Start: &start, End: &end, Value: datumOf(r.Value), Time: r.Time.UnixMilli()}
				if r.Tombstone {
					row.Value = ""
				}
				rows = append(rows, row)
			}
			return rows
		}
	}
}

// datumOf gives a result the form it has in the golden files.
func datumOf[V any](v V) datum {
	switch v := any(v).(type) {
	case datum:
		return v
	case int64:
		return datum(strconv.FormatInt(v, 10))
	case string:
		return datum(strconv.Quote(v))
	}
	return datum(fmt.Sprintf("unknown type %T", v))
}

// integer reads the number in a value; the files have no other there.
func integer(v datum) (int64, error) { return strconv.ParseInt(string(v), 10, 64) }

// numbers turns the values of a stream into numbers.
func numbers(s stream.Stream[string, datum]) stream.Stream[string, int64] {
	return stream.TryMapValues(s, func(_ *stream.Context, r *stream.Record[string, datum]) (int64, error) { return integer(r.Value) })
}

func goldenStateless(t *testing.T, b *stream.Builder, c *goldenCase, _ windowing.Emit) []goldenOutlet {
	s := numbers(stream.From(b, goldenTopic("in")))
	if c.Params.Merge {
		s = s.Merge(numbers(stream.From(b, goldenTopic("in2"))))
	}
	for _, op := range c.Params.Ops {
		s = goldenStep(t, s, op)
	}
	if c.Params.Sink == "branch" {
		branches := s.Branch(isEven, func(_ string, v int64) bool { return v > 50 })
		return []goldenOutlet{
			goldenTo(branches[0], "even", serde.Int64), goldenTo(branches[1], "big", serde.Int64), goldenTo(branches[2], "rest", serde.Int64),
		}
	}
	return []goldenOutlet{goldenTo(s, "out", serde.Int64)}
}

func isEven(_ string, v int64) bool { return v%2 == 0 }

func goldenStep(t *testing.T, s stream.Stream[string, int64], op string) stream.Stream[string, int64] {
	switch op {
	case "filter_even":
		return s.Filter(isEven)
	case "filter_not_even":
		return s.Filter(func(k string, v int64) bool { return !isEven(k, v) })
	case "map_values_add_one":
		return stream.MapValues(s, func(v int64) int64 { return v + 1 })
	case "map_swap_key":
		return stream.Map(s, func(_ string, v int64) (string, int64) { return "k" + strconv.FormatInt(v, 10), v * 10 })
	case "flat_map_values_repeat":
		return stream.FlatMapValues(s, func(v int64) iter.Seq[int64] {
			return slices.Values([]int64{v, v + 100}[:v%3])
		})
	case "flat_map_pair":
		return stream.FlatMap(s, func(k string, v int64) iter.Seq2[string, int64] {
			return func(yield func(string, int64) bool) { _ = yield(k+"a", v) && yield(k+"b", v+1) }
		})
	case "select_key_mod3":
		return stream.SelectKey(s, func(_ string, v int64) string { return "m" + strconv.FormatInt(v%3, 10) })
	}
	t.Fatalf("the runner does not know step %q", op)
	return s
}

func goldenExtractor(_ *testing.T, b *stream.Builder, _ *goldenCase, _ windowing.Emit) []goldenOutlet {
	in := goldenTopic("in")
	in.EventTime = func(r *stream.Record[string, datum]) time.Time {
		v, err := integer(r.Value)
		if err != nil {
			return time.UnixMilli(-1)
		}
		return time.UnixMilli(v)
	}
	return []goldenOutlet{goldenTo(stream.From(b, in), "out", in.Value)}
}

// goldenMod3 is the value mod 3, or what shows that it is no number.
func goldenMod3(v datum) string {
	n, err := integer(v)
	if err != nil {
		return err.Error()
	}
	return strconv.FormatInt(n%3, 10)
}

// goldenReducers gather values of a stream into one of the same kind.
var goldenReducers = map[string]func(acc, v datum) datum{
	"sum":   func(acc, v datum) datum { return arithmetic(acc, v, func(a, b int64) int64 { return a + b }) },
	"max":   func(acc, v datum) datum { return arithmetic(acc, v, func(a, b int64) int64 { return max(a, b) }) },
	"first": func(acc, _ datum) datum { return acc },
	"last":  func(_, v datum) datum { return v },
}

// arithmetic leaves what is not a number to be seen in the result.
func arithmetic(acc, v datum, f func(a, b int64) int64) datum {
	a, errA := integer(acc)
	b, errB := integer(v)
	if errA != nil || errB != nil {
		return acc + v
	}
	return datumOf(f(a, b))
}

// goldenConcat joins values as text.
var goldenConcat = stream.Aggregator[string, datum, string]{
	Add:   func(_ string, v datum, acc string) string { return acc + v.text() },
	Merge: func(_, a, b string) string { return a + b },
	State: serde.String,
}

// goldenTrace shows which functions were called, and in which order.
var goldenTrace = stream.Aggregator[string, datum, string]{
	Zero:  func() string { return "i" },
	Add:   func(_ string, v datum, acc string) string { return "a(" + acc + "," + v.text() + ")" },
	Merge: func(_, a, b string) string { return "m(" + a + "," + b + ")" },
	State: serde.String,
}

func goldenAggregate(t *testing.T, b *stream.Builder, c *goldenCase, emit windowing.Emit) []goldenOutlet {
	in, send := goldenTopic("in"), stream.Emit(emit)
	records := stream.From(b, in)
	grouped := stream.GroupByKey(records)
	if c.Params.GroupBy == "value" {
		byValue := func(_ string, v datum) string { return "g" + goldenMod3(v) }
		grouped = stream.GroupBy("by-value", records, byValue, in.Key, in.Value)
	}
	switch agg := c.Params.Agg; {
	case agg == "count":
		return []goldenOutlet{goldenTo(stream.Count("golden", grouped, send).Changes(), "out", serde.Int64)}
	case agg == "concat":
		return []goldenOutlet{goldenTo(stream.Aggregate("golden", grouped, goldenConcat, send).Changes(), "out", serde.String)}
	case goldenReducers[agg] != nil:
		return []goldenOutlet{goldenTo(stream.Reduce("golden", grouped, goldenReducers[agg], in.Value, send).Changes(), "out", in.Value)}
	default:
		t.Fatalf("the runner does not know aggregate %q", agg)
		return nil
	}
}

func goldenMillis(n int64) time.Duration { return time.Duration(n) * time.Millisecond }

// goldenDefinition is the windows a case asks for.
func goldenDefinition(p goldenParams, operator string, emit windowing.Emit) windowing.Definition {
	grace := goldenMillis(p.Grace)
	switch operator {
	case "session":
		return windowing.Session(goldenMillis(p.Gap)).Grace(grace).Emit(emit)
	case "sliding":
		return windowing.Sliding(goldenMillis(p.Difference)).Grace(grace).Emit(emit)
	case "hopping":
		return windowing.Hopping(goldenMillis(p.Size), goldenMillis(p.Advance)).Grace(grace).Emit(emit)
	}
	return windowing.Tumbling(goldenMillis(p.Size)).Grace(grace).Emit(emit)
}

func goldenWindows(t *testing.T, b *stream.Builder, c *goldenCase, emit windowing.Emit) []goldenOutlet {
	in, w := goldenTopic("in"), goldenDefinition(c.Params, c.Operator, emit)
	cut, key := stream.Window(stream.GroupByKey(stream.From(b, in)), w), windowing.ResultKeySerde(serde.String, w)
	texts := func(a stream.Aggregator[string, datum, string]) []goldenOutlet {
		return []goldenOutlet{goldenWindowsTo(stream.AggregateWindows("golden", cut, a).Results, key, serde.String)}
	}
	switch agg := c.Params.Agg; {
	case agg == "count":
		return []goldenOutlet{goldenWindowsTo(stream.CountWindows("golden", cut).Results, key, serde.Int64)}
	case agg == "concat":
		return texts(goldenConcat)
	case agg == "trace":
		return texts(goldenTrace)
	case goldenReducers[agg] != nil:
		return []goldenOutlet{goldenWindowsTo(stream.ReduceWindows("golden", cut, goldenReducers[agg], in.Value).Results, key, in.Value)}
	default:
		t.Fatalf("the runner does not know aggregate %q", agg)
		return nil
	}
}

func goldenSuppress(t *testing.T, b *stream.Builder, c *goldenCase, _ windowing.Emit) []goldenOutlet {
	if c.Params.Source != "stream_sum" {
		t.Fatalf("the runner does not know source %q", c.Params.Source)
	}
	limit := time.Duration(math.MaxInt64).Truncate(time.Millisecond) // longer than any case
	if c.Params.Limit != nil {
		limit = goldenMillis(*c.Params.Limit)
	}
	room := 1_000_000 // more than any case needs
	if c.Params.MaxRecords != nil {
		room = *c.Params.MaxRecords
	}
	in := goldenTopic("in")
	sums := stream.Reduce("sums", stream.GroupByKey(stream.From(b, in)), goldenReducers["sum"], in.Value, stream.Emit(windowing.OnUpdate))
	held := stream.Suppress("golden", sums.Changes(), windowing.UntilTimeLimit(limit, windowing.EmitEarly).MaxRecords(room), in.Value)
	return []goldenOutlet{goldenTo(held, "out", in.Value)}
}
