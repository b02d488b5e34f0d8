package stream

import (
	"github.com/millrace/millrace/processor/internal/graph"
	"github.com/millrace/millrace/schemaregistry/serde"
	"github.com/millrace/millrace/state"
	"github.com/millrace/millrace/windowing"
)

// A Table is the current value of each key, kept in the store it is named
// after.
type Table[K, V any] struct {
	changes Stream[K, V]
}

// Changes is the stream of the table's new values (toStream). By default the
// last value of each key is sent at each commit; a reader of committed records
// sees no more than that anyway. With Emit(windowing.OnUpdate) every change is
// sent. The time of a change is the highest among the records of its key. Build
// refuses to group or repartition what is sent at commits (see EachUpdate).
func (t Table[K, V]) Changes() Stream[K, V] { return t.changes }

// Count counts the records of each key.
func Count[K, V any](name string, g Grouped[K, V], opts ...Option) Table[K, int64] {
	return aggregate(name, g, countKind, counting[K, V], serde.Int64, opts)
}

// Reduce gathers the values of each key with f; the first value is taken as it
// is. f must change neither of its arguments, nor what lies behind the length of
// a slice: other operators may have the same values.
func Reduce[K, V any](name string, g Grouped[K, V], f func(acc, v V) V, value serde.Serde[V], opts ...Option) Table[K, V] {
	return aggregate(name, g, reduceKind, reducing[K](f), value, opts)
}

// Aggregate gathers the values of each key into a value of another type.
func Aggregate[K, V, A any](name string, g Grouped[K, V], a Aggregator[K, V, A], opts ...Option) Table[K, A] {
	return aggregate(name, g, aggregateKind, adding(a), a.State, opts)
}

// TryAggregate is Aggregate with an Add that sees the whole record and may
// fail.
func TryAggregate[K, V, A any](name string, g Grouped[K, V], a TryAggregator[K, V, A], opts ...Option) Table[K, A] {
	return aggregate(name, g, aggregateKind, tryAdding(a), a.State, opts)
}

func aggregate[K, V, A any](name string, g Grouped[K, V], kind string, f fold[K, V, A], value serde.Serde[A], opts []Option) Table[K, A] {
	check(name, g, f, value)
	emit := tableEmission(g.s.b, name, opts)
	store := state.KV[[]byte, state.Timestamped[A]]{Name: name, Key: serde.Bytes, Value: state.TimestampedSerde(value)}
	spec := stateOf(store.Spec(), kind, g.s.key, collect(opts).version)
	g.s.b.graph.AddStore(name, spec)
	id := g.s.b.graph.Add(graph.Node{
		Name: name, Kind: graph.OperatorNode, Sends: tableSending(emit), Stores: []string{name},
		Instantiate: func(env *graph.Env, node *graph.Node, children [][]any) (graph.Instance, error) {
			t := &table[K, V, A]{env: env, node: node, fold: f, update: emit == windowing.OnUpdate}
			return t.open(store, g.s.key, children)
		},
	}, g.s.at)
	changes := Stream[K, A]{b: g.s.b, at: graph.Edge{From: id}, key: g.s.key}
	changes.lineage = lineage{updates: tableUpdates(name, emit), windows: g.s.windows}
	return Table[K, A]{changes}
}

// tableEmission is when a table sends its changes on.
func tableEmission(b *Builder, name string, opts []Option) windowing.Emit {
	o := collect(opts).only(b, name, "Emit", "StateVersion")
	if o.emit == nil {
		return windowing.OnCommit
	}
	switch emit := o.emit.Emit; {
	case emit == windowing.OnClose || emit == windowing.OnTime:
		b.graph.Fail("table %q: %v needs a window; a table is never closed", name, emit)
	case emit > windowing.OnTime:
		b.graph.Fail("table %q: unknown emission %d; use windowing.OnCommit or windowing.OnUpdate", name, uint8(emit))
	}
	return o.emit.Emit
}

func tableSending(emit windowing.Emit) graph.Sending {
	if emit == windowing.OnCommit {
		return graph.SendsAtCommits
	}
	return graph.SendsInTurn
}

// A table is the operator behind Count, Reduce and Aggregate in one task.
type table[K, V, A any] struct {
	env    *graph.Env
	node   *graph.Node
	fold   fold[K, V, A]
	update bool // send every change, not only the last before a commit
	keys   *keyer[K]
	store  *state.KeyValueStore[[]byte, state.Timestamped[A]]
	down   graph.Receiver[K, A]
	out    Record[K, A]

	// With commits: the time that has arrived, and what was passed on at the
	// last commit. What is sent is judged by the latter, which is the closing of
	// the store, so that what was late is late after a restart too.
	merged, passed windowing.EventTime
}

func (t *table[K, V, A]) open(store state.KV[[]byte, state.Timestamped[A]], key serde.Serde[K], children [][]any) (inst graph.Instance, err error) {
	if t.down, err = port[K, A](t.node, children, 0); err != nil {
		return inst, err
	}
	if t.keys, err = newKeyer(key, t.node.Name); err != nil {
		return inst, err
	}
	if t.store, err = store.Open(t.env); err != nil {
		return inst, err
	}
	inst.Receive = graph.One(t.receive)
	if !t.update {
		t.passed = windowing.NoTime
		if c, ok := t.store.Closing(); ok {
			t.passed = windowing.EventTime(c.Watermark)
		}
		t.merged = t.passed
		inst.Commit, inst.Timed = t.commit, t
	}
	return inst, nil
}

func (t *table[K, V, A]) receive(r *Record[K, V]) error {
	key, ok, err := keyed(t.env, t.node, t.keys, r)
	if !ok {
		return err
	}
	v, existed, err := t.store.Slot(key)
	if err != nil {
		return err
	}
	if err := t.fold(t.env.Context, r, &v.Value, !existed); err != nil {
		return failed(t.node, err)
	}
	if at := int64(r.Time); !existed || at > v.Time {
		v.Time = at
	}
	t.env.CountersOf(t.node).Processed++
	if t.update {
		graph.MetaOf(&t.out).Watermark = graph.MetaOf(r).Watermark
		return t.send(r.Key, v)
	}
	return nil
}

// Advance implements graph.Timed: the time waits here for the commit. At the
// end of a bounded run nothing comes any more, so what is held back goes now.
func (t *table[K, V, A]) Advance(merged windowing.EventTime) error {
	if merged != windowing.MaxTime || t.merged == windowing.MaxTime {
		t.merged = max(t.merged, merged)
		return nil
	}
	if err := t.flush(); err != nil {
		return err
	}
	t.merged = windowing.MaxTime
	return nil
}

// Due implements graph.Timed.
func (t *table[K, V, A]) Due() windowing.EventTime { return windowing.MaxTime }

// Passed implements graph.Timed.
func (t *table[K, V, A]) Passed() windowing.EventTime { return t.passed }

// commit sends the last value of each key that has changed, and then passes on
// the time of this moment.
func (t *table[K, V, A]) commit() error {
	if t.merged == windowing.MaxTime {
		return nil
	}
	if err := t.flush(); err != nil {
		return err
	}
	t.passed = t.merged
	t.store.SetClosing(int64(t.passed))
	return nil
}

func (t *table[K, V, A]) flush() error {
	graph.MetaOf(&t.out).Watermark = t.passed
	return t.store.EachDirty(func(key []byte, v *state.Timestamped[A], deleted bool) error {
		if deleted {
			return nil
		}
		k, err := t.keys.codec.Decode(key)
		if err != nil {
			return err
		}
		return t.send(k, v)
	})
}

func (t *table[K, V, A]) send(key K, v *state.Timestamped[A]) error {
	t.out.Key, t.out.Value, t.out.Time = key, v.Value, windowing.EventTime(v.Time)
	return t.down(&t.out)
}
