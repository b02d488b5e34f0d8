package stream

import (
	"strconv"

	"github.com/millrace/millrace/processor/internal/graph"
	"github.com/millrace/millrace/schemaregistry/serde"
	"github.com/millrace/millrace/windowing"
)

// TimeWindowed is a grouped stream cut into windows of event time.
type TimeWindowed[K, V any] struct {
	g Grouped[K, V]
	w windowing.Definition
}

// Window cuts a grouped stream into windows: windowing.Windows,
// windowing.SessionWindows or windowing.SlidingWindows. They say how long each
// window is open (grace, 0 unless set) and when results are sent (at each commit
// unless set). The serde of the results' keys is windowing.ResultKeySerde; To
// takes it where the topic names none.
func Window[K, V any](g Grouped[K, V], w windowing.Definition) TimeWindowed[K, V] {
	if w == nil {
		g.s.b.graph.Fail("window: the windows are nil")
		w = windowing.Windows{}
	}
	if err := w.Validate(); err != nil {
		g.s.b.graph.Fail("window: %w", err)
	}
	return TimeWindowed[K, V]{g, w}
}

// Windowed is what a windowed aggregate gives.
type Windowed[K, V, A any] struct {
	// Results has a value for each key and window, when the windows' Emit says.
	//
	// Of sessions that were sent and have become part of larger ones it also has
	// tombstones, each before the value of the larger one; not under OnClose
	// without Early. No user function sees those: Filter, MapValues,
	// FlatMapValues, Peek and Merge pass them on, Branch to every branch, To
	// writes a null value; what changes the key, and every aggregate, drops them
	// and counts them as NullValue.
	Results Stream[windowing.Key[K], A]
	// Late has the records all of whose windows were closed, as they came, with
	// the late headers added (Flink's side output of late data). They are counted
	// whether it is used or not.
	Late Stream[K, V]
}

// CountWindows counts the records of each key and window.
// It takes the option StateVersion.
func CountWindows[K, V any](name string, w TimeWindowed[K, V], opts ...Option) Windowed[K, V, int64] {
	o := collect(opts).only(w.g.s.b, name, "StateVersion")
	return aggregateWindows(name, w, counts[K, V](), serde.Int64, o)
}

// ReduceWindows gathers the values of each key and window with f; the first
// value is taken as it is. The values of sessions that become one are gathered
// with f too, the earlier one first. f must change neither of its arguments, nor
// what lies behind the length of a slice: other operators may have the same
// values. It takes the options CombineReduce and StateVersion.
func ReduceWindows[K, V any](name string, w TimeWindowed[K, V], f func(acc, v V) V, value serde.Serde[V], opts ...Option) Windowed[K, V, V] {
	o := collect(opts).only(w.g.s.b, name, "CombineReduce", "StateVersion").combines(w.g.s.b, name, w.w)
	return aggregateWindows(name, w, reduction[K](f, o), value, o)
}

// AggregateWindows gathers the values of each key and window into a value of
// another type. For sessions the Aggregator needs a Merge. It takes the option StateVersion.
func AggregateWindows[K, V, A any](name string, w TimeWindowed[K, V], a Aggregator[K, V, A], opts ...Option) Windowed[K, V, A] {
	o := collect(opts).only(w.g.s.b, name, "StateVersion")
	return aggregateWindows(name, w, a.gathering(), a.State, o)
}

// TryAggregateWindows is AggregateWindows with an Add that sees the whole
// record and may fail.
func TryAggregateWindows[K, V, A any](name string, w TimeWindowed[K, V], a TryAggregator[K, V, A], opts ...Option) Windowed[K, V, A] {
	o := collect(opts).only(w.g.s.b, name, "StateVersion")
	return aggregateWindows(name, w, a.gathering(), a.State, o)
}

const (
	resultPort = iota
	latePort
)

func aggregateWindows[K, V, A any](name string, w TimeWindowed[K, V], g gathering[K, V, A], value serde.Serde[A], opt options) Windowed[K, V, A] {
	check(name, w.g, g.add, value)
	s := w.g.s
	if _, ok := w.w.(windowing.SessionWindows); ok && g.merge == nil {
		s.b.graph.Fail("operator %q: a record can make two sessions one; give its Aggregator a Merge", name)
	}
	spec, open := windowKind[K, V](name, w.w, value, g.combine != nil)
	spec = stateOf(spec, g.kind, s.key, opt.version, windowing.Traits(w.w)...)
	s.b.graph.AddStore(name, spec)
	id := s.b.graph.Add(graph.Node{
		Name: name, Kind: graph.OperatorNode, Sends: sending(w.w), Stores: []string{name}, Windows: w.w,
		Instantiate: func(env *graph.Env, node *graph.Node, children [][]any) (graph.Instance, error) {
			own, err := g.apart(w.w, value, name)
			if err != nil {
				return graph.Instance{}, err
			}
			o := &windowed[K, V, A]{env: env, node: node, windows: w.w, gathering: own}
			return o.open(open, s.key, children)
		},
	}, s.at)
	out := Windowed[K, V, A]{Late: s.behind(id, latePort)}
	out.Results = Stream[windowing.Key[K], A]{b: s.b, at: graph.Edge{From: id, Port: resultPort}}
	out.Results.lineage = lineage{rekeyed: s.rekeyed, updates: windowUpdates(name, w.w)}
	if s.key != nil {
		out.Results.key = windowing.ResultKeySerde(s.key, w.w)
		out.Results.windows = []any{out.Results.key}
	}
	return out
}

// windowed is the operator behind the windowed aggregates in one task.
type windowed[K, V, A any] struct {
	env       *graph.Env
	node      *graph.Node
	windows   windowing.Definition
	gathering gathering[K, V, A]
	keys      *keyer[K]
	agg       windowAggregation
	current   *Record[K, V]
	results   graph.Receiver[windowing.Key[K], A]
	late      graph.Receiver[K, V]
	out       Record[windowing.Key[K], A]
	outLate   Record[K, V]
}

func (o *windowed[K, V, A]) open(aggregation opener[K, V, A], key serde.Serde[K], children [][]any) (inst graph.Instance, err error) {
	if o.results, err = port[windowing.Key[K], A](o.node, children, resultPort); err != nil {
		return inst, err
	}
	if o.late, err = port[K, V](o.node, children, latePort); err != nil {
		return inst, err
	}
	if o.keys, err = newKeyer(key, o.node.Name); err != nil {
		return inst, err
	}
	if o.agg, err = aggregation(o); err != nil {
		return inst, err
	}
	if grace, kept := windowing.KeptGrace(o.env.Stores(), o.node.Name); kept {
		o.agg.GraceBefore(grace)
	}
	inst = graph.Instance{Receive: graph.One(o.receive), Timed: o.agg, Commit: o.agg.BeforeCommit}
	inst.Undoable, _ = o.agg.(graph.Undoable)
	return inst, nil
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
	o.env.CountersOf(o.node).Processed++
	return nil
}

// add folds the current record into the value of one window.
func (o *windowed[K, V, A]) add(acc *A, fresh bool) error {
	if err := o.gathering.add(o.env.Context, o.current, acc, fresh); err != nil {
		return failed(o.node, err)
	}
	return nil
}

// merge takes the value of a session into that of the one it becomes part of,
// by way of the current record, which has the same key.
func (o *windowed[K, V, A]) merge(into, next *A, first bool) error {
	if err := o.gathering.merge(o.current.Key, into, next, first); err != nil {
		return failed(o.node, err)
	}
	return nil
}

// emit sends the value of a window on; nil is a tombstone. An early result of a
// window that begins before 1970 may be due before it: no record has a time from
// there, and no result gets one.
func (o *windowed[K, V, A]) emit(win windowing.Window, key []byte, v *A, at windowing.EventTime) error {
	k, err := o.keys.codec.Decode(key)
	if err != nil {
		return err
	}
	o.out.Key, o.out.Time = windowing.Key[K]{Key: k, Window: win}, max(at, 0)
	meta := graph.MetaOf(&o.out)
	meta.Watermark, meta.Tombstone = o.agg.Passed(), v == nil
	if meta.Tombstone {
		var zero A
		v = &zero
	}
	o.out.Value = *v
	return o.results(&o.out)
}

func (o *windowed[K, V, A]) sendLate(r *Record[K, V]) error {
	headers, by := lateHeaders(o.windows, r.Time, graph.MetaOf(r).Watermark)
	o.env.DropLate(o.node, by)
	o.outLate = *r
	o.outLate.Headers = r.Headers.With(headers...)
	return o.late(&o.outLate)
}

func decimal(key string, t windowing.EventTime) graph.Header {
	return graph.Header{Key: key, Value: strconv.AppendInt(nil, int64(t), 10)}
}
