package stream

import (
	"strconv"

	"github.com/millrace/millrace/processor/internal/graph"
	"github.com/millrace/millrace/schemaregistry/serde"
	"github.com/millrace/millrace/state"
	"github.com/millrace/millrace/windowing"
)

// Headers of a late record, as decimal milliseconds since epoch: the bounds of
// the last window it belongs to, and the watermark that had closed it.
const (
	HeaderLateWindowStart = "__millrace.late.window.start"
	HeaderLateWindowEnd   = "__millrace.late.window.end"
	HeaderLateWatermark   = "__millrace.late.watermark"
)

// TimeWindowed is a grouped stream cut into windows of event time.
type TimeWindowed[K, V any] struct {
	g Grouped[K, V]
	w windowing.Windows
}

// Window cuts a grouped stream into windows.
func Window[K, V any](g Grouped[K, V], w windowing.Windows) TimeWindowed[K, V] {
	if err := w.Validate(); err != nil {
		g.s.b.graph.Fail("window: %w", err)
	}
	return TimeWindowed[K, V]{g, w}
}

// Windowed is what a windowed aggregate gives.
type Windowed[K, V, A any] struct {
	// Results has a value for each key and window, when the windows' Emit says.
	Results Stream[windowing.Key[K], A]
	// Late has the records all of whose windows were closed, as they came, with
	// the three late headers added. They are counted whether it is used or not.
	Late Stream[K, V]
}

// CountWindows counts the records of each key and window.
func CountWindows[K, V any](name string, w TimeWindowed[K, V]) Windowed[K, V, int64] {
	return aggregateWindows(name, w, counting[K, V], serde.Int64)
}

// ReduceWindows gathers the values of each key and window with f; the first
// value is taken as it is.
func ReduceWindows[K, V any](name string, w TimeWindowed[K, V], f func(acc, v V) V, value serde.Serde[V]) Windowed[K, V, V] {
	return aggregateWindows(name, w, reducing[K](f), value)
}

// AggregateWindows gathers the values of each key and window into a value of
// another type.
func AggregateWindows[K, V, A any](name string, w TimeWindowed[K, V], a Aggregator[K, V, A]) Windowed[K, V, A] {
	return aggregateWindows(name, w, adding(a), a.State)
}

// TryAggregateWindows is AggregateWindows with an Add that sees the whole
// record and may fail.
func TryAggregateWindows[K, V, A any](name string, w TimeWindowed[K, V], a TryAggregator[K, V, A]) Windowed[K, V, A] {
	return aggregateWindows(name, w, tryAdding(a), a.State)
}

const (
	resultPort = iota
	latePort
)

func aggregateWindows[K, V, A any](name string, w TimeWindowed[K, V], f fold[K, V, A], value serde.Serde[A]) Windowed[K, V, A] {
	check(name, w.g, value)
	s := w.g.s
	store := state.Windowed[state.Timestamped[A]]{Name: name, Value: state.TimestampedSerde(value)}
	id := s.b.graph.Add(graph.Node{
		Name: name, Kind: graph.OperatorNode, Stores: []state.Spec{store.Spec()},
		Instantiate: func(env *graph.Env, node *graph.Node, children [][]any) (graph.Instance, error) {
			o := &windowed[K, V, A]{env: env, node: node, windows: w.w, fold: f}
			return o.open(store, s.key, children)
		},
	}, s.at)
	out := Windowed[K, V, A]{Late: s.behind(id, latePort)}
	out.Results = Stream[windowing.Key[K], A]{b: s.b, at: graph.Edge{From: id, Port: resultPort}, rekeyed: s.rekeyed}
	if s.key != nil {
		out.Results.key = windowing.KeySerde(s.key, w.w.Size())
	}
	return out
}

// windowed is the operator behind the windowed aggregates in one task.
type windowed[K, V, A any] struct {
	env     *graph.Env
	node    *graph.Node
	windows windowing.Windows
	fold    fold[K, V, A]
	keys    *keyer[K]
	agg     *windowing.Aggregation[A]
	current *Record[K, V]
	results graph.Receiver[windowing.Key[K], A]
	late    graph.Receiver[K, V]
	out     Record[windowing.Key[K], A]
	outLate Record[K, V]
}

func (o *windowed[K, V, A]) open(store state.Windowed[state.Timestamped[A]], key serde.Serde[K], children [][]any) (inst graph.Instance, err error) {
	if o.results, err = port[windowing.Key[K], A](o.node, children, resultPort); err != nil {
		return inst, err
	}
	if o.late, err = port[K, V](o.node, children, latePort); err != nil {
		return inst, err
	}
	if o.keys, err = newKeyer(key, o.node.Name); err != nil {
		return inst, err
	}
	opened, err := store.Open(o.env)
	if err != nil {
		return inst, err
	}
	o.agg = windowing.NewAggregation(o.windows, opened, o.add, o.emit)
	return graph.Instance{Receive: graph.Receiver[K, V](o.receive), Timed: o.agg, Commit: o.agg.BeforeCommit}, nil
}

func (o *windowed[K, V, A]) receive(r *Record[K, V]) error {
	key, ok, err := keyed(o.env, o.node, o.keys, r)
	if !ok {
		return err
	}
	o.current = r
	late, err := o.agg.Add(key, r.Time, graph.MetaOf(r).Watermark)
	if err != nil {
		return err
	}
	if late {
		return o.sendLate(r)
	}
	o.env.Counters[o.node.ID].Processed++
	return nil
}

// add folds the current record into the value of one window.
func (o *windowed[K, V, A]) add(acc *A, fresh bool) error {
	if err := o.fold(o.env.Context, o.current, acc, fresh); err != nil {
		return failed(o.node, err)
	}
	return nil
}

func (o *windowed[K, V, A]) emit(win windowing.Window, key []byte, v *state.Timestamped[A], at windowing.EventTime) error {
	k, err := o.keys.codec.Decode(key)
	if err != nil {
		return err
	}
	o.out.Key, o.out.Value, o.out.Time = windowing.Key[K]{Key: k, Window: win}, v.Value, at
	graph.MetaOf(&o.out).Watermark = o.agg.Passed()
	return o.results(&o.out)
}

func (o *windowed[K, V, A]) sendLate(r *Record[K, V]) error {
	o.env.Drop(o.node, graph.Late)
	meta := graph.MetaOf(r)
	win, _ := o.windows.Latest(r.Time)
	o.outLate = *r
	o.outLate.Headers = r.Headers.With(
		decimal(HeaderLateWindowStart, win.Start), decimal(HeaderLateWindowEnd, win.End), decimal(HeaderLateWatermark, meta.Watermark))
	return o.late(&o.outLate)
}

func decimal(key string, t windowing.EventTime) graph.Header {
	return graph.Header{Key: key, Value: strconv.AppendInt(nil, int64(t), 10)}
}
