package stream

import (
	"github.com/millrace/millrace/processor/internal/graph"
	"github.com/millrace/millrace/schemaregistry/serde"
	"github.com/millrace/millrace/windowing"
)

// An Aggregator says how values are gathered into one of type A.
type Aggregator[K, V, A any] struct {
	Zero  func() A                  // the value before the first record; nil: A's zero value
	Add   func(key K, v V, acc A) A // must not keep or change an earlier result
	State serde.Serde[A]            // how the value is kept
	// Merge joins the values of two sessions that a record has made one; a is
	// the earlier. It starts from Zero: what belongs to the first session is
	// merged into that. Session windows need it, nothing else does.
	Merge func(key K, a, b A) A
	// Combine makes one of two values that were gathered from different records,
	// the same in whatever order values are combined; leave it nil where that
	// cannot be. acc is fresh from Zero or was made by Combine before; other must
	// neither be changed nor kept. With it, hopping windows that are sent when
	// they close cost one update for each record, however many they overlap; for
	// other windows (see windowing.Combines) and for tables it is not called: an
	// Aggregator may be used by several operators.
	Combine func(acc, other A) A
}

// A TryAggregator is an Aggregator whose Add sees the whole record and may
// fail. Its fields are those of Aggregator.
type TryAggregator[K, V, A any] struct {
	Zero  func() A
	Add   func(c *Context, r *Record[K, V], acc A) (A, error)
	State serde.Serde[A]
	Merge func(key K, a, b A) (A, error) // as Aggregator's
	// Combine is as Aggregator's.
	Combine func(acc, other A) A
}

// A gathering is an aggregate as the operators use it.
type gathering[K, V, A any] struct {
	kind  string // as it is kept with the state
	add   fold[K, V, A]
	merge merge[K, A] // nil: the values of sessions cannot be joined
	// combine is nil where the order of records matters.
	combine *windowing.Combine[A]
	taken   bool // the first value of a window is that of the record, not one made for it
}

// A merge takes the value of the next session, in order, into that of the one
// they become; first says that into is still the zero value.
type merge[K, A any] func(key K, into, next *A, first bool) error

// A fold changes the value of one key (and window) in place for one record.
type fold[K, V, A any] func(c *Context, r *Record[K, V], acc *A, fresh bool) error

func counting[K, V any](_ *Context, _ *Record[K, V], acc *int64, _ bool) error {
	*acc++
	return nil
}

func counts[K, V any]() gathering[K, V, int64] {
	merge := func(_ K, into, next *int64, _ bool) error {
		*into += *next
		return nil
	}
	sum := func(acc, other int64) int64 { return acc + other }
	return gathering[K, V, int64]{kind: countKind, add: counting[K, V], merge: merge, combine: &windowing.Combine[int64]{Values: sum}}
}

func reduction[K, V any](f func(acc, v V) V, o options) gathering[K, V, V] {
	merge := func(_ K, into, next *V, first bool) error {
		if first {
			*into = *next
		} else {
			*into = f(*into, *next)
		}
		return nil
	}
	g := gathering[K, V, V]{kind: reduceKind, add: reducing[K](f), merge: merge, taken: true}
	if o.combine {
		g.combine = &windowing.Combine[V]{Values: f}
	}
	return g
}

// apart is g with a first value of its own for each window, where they would
// else share what lies behind the record's: what f does to it for one of them
// would be seen in the others, until a restart.
func (g gathering[K, V, A]) apart(w windowing.Definition, value serde.Serde[A], store string) (gathering[K, V, A], error) {
	if !g.taken {
		return g, nil
	}
	own, err := windowing.Apart(w, value, store)
	if own == nil || err != nil {
		return g, err
	}
	take := g.add
	g.add = func(c *Context, r *Record[K, V], acc *A, fresh bool) error {
		err := take(c, r, acc, fresh)
		if err == nil && fresh {
			*acc, err = own(acc)
		}
		return err
	}
	return g, nil
}

// CombineReduce says of the function given to ReduceWindows that it may also
// gather values that were gathered before, in any order. It is what Combine is
// to an Aggregator. The sum, the lowest and the highest of numbers are such
// functions. Build refuses it for windows that are not combined:
// windowing.Combines says which are.
func CombineReduce() Option { return func(o *options) { o.combine = true } }

// combines reports to Build a CombineReduce that has no effect on the windows.
func (o options) combines(b *Builder, operator string, w windowing.Definition) options {
	if !o.combine || w.Validate() != nil {
		return o
	}
	if err := windowing.Combines(w); err != nil {
		b.graph.Fail("operator %q: the option CombineReduce has no effect on it: %w; leave it out", operator, err)
	}
	return o
}

// combining is the Combine of an aggregate that starts from zero.
func combining[A any](zero func() A, f func(acc, other A) A) *windowing.Combine[A] {
	if f == nil {
		return nil
	}
	if zero == nil {
		zero = func() (a A) { return a }
	}
	return &windowing.Combine[A]{Fresh: zero, Values: f}
}

func reducing[K, V any](f func(acc, v V) V) fold[K, V, V] {
	if f == nil {
		return nil
	}
	return func(_ *Context, r *Record[K, V], acc *V, fresh bool) error {
		if fresh {
			*acc = r.Value
		} else {
			*acc = f(*acc, r.Value)
		}
		return nil
	}
}

func adding[K, V, A any](a Aggregator[K, V, A]) fold[K, V, A] {
	if a.Add == nil {
		return nil
	}
	return func(_ *Context, r *Record[K, V], acc *A, fresh bool) error {
		if fresh && a.Zero != nil {
			*acc = a.Zero()
		}
		*acc = a.Add(r.Key, r.Value, *acc)
		return nil
	}
}

func tryAdding[K, V, A any](a TryAggregator[K, V, A]) fold[K, V, A] {
	if a.Add == nil {
		return nil
	}
	return func(c *Context, r *Record[K, V], acc *A, fresh bool) error {
		if fresh && a.Zero != nil {
			*acc = a.Zero()
		}
		next, err := a.Add(c, r, *acc)
		if err == nil {
			*acc = next
		}
		return err
	}
}

func (a Aggregator[K, V, A]) gathering() gathering[K, V, A] {
	g := gathering[K, V, A]{kind: aggregateKind, add: adding(a), combine: combining(a.Zero, a.Combine)}
	if a.Merge != nil {
		g.merge = func(key K, into, next *A, first bool) error {
			if first && a.Zero != nil {
				*into = a.Zero()
			}
			*into = a.Merge(key, *into, *next)
			return nil
		}
	}
	return g
}

func (a TryAggregator[K, V, A]) gathering() gathering[K, V, A] {
	g := gathering[K, V, A]{kind: aggregateKind, add: tryAdding(a), combine: combining(a.Zero, a.Combine)}
	if a.Merge != nil {
		g.merge = func(key K, into, next *A, first bool) error {
			if first && a.Zero != nil {
				*into = a.Zero()
			}
			joined, err := a.Merge(key, *into, *next)
			if err == nil {
				*into = joined
			}
			return err
		}
	}
	return g
}

// Emit sets when a table sends its changes on: with windowing.OnCommit (the
// default) or windowing.OnUpdate. Of windowed results the windows say it.
func Emit(e windowing.Emit) Option { return func(o *options) { o.emit = &emission{e} } }

type emission struct{ windowing.Emit }

// check reports what a stateful operator lacks; f is nil if it was given no
// function.
func check[K, V, A any](name string, g Grouped[K, V], f fold[K, V, A], state serde.Serde[A]) {
	if f == nil {
		g.s.b.graph.Fail("operator %q: nothing takes its records in: give the Aggregator an Add, or Reduce a function", name)
	}
	if state == nil {
		g.s.b.graph.Fail("operator %q: its state %w", name, errNoSerde)
	}
	if g.s.key == nil && g.s.rekeyed == "" {
		g.s.b.graph.Fail("operator %q: its key %w", name, errNoSerde)
	}
}

// keyed finds the key of a record that arrives at a keyed operator, and counts
// the record unless it fails; false if it goes no further.
func keyed[K, V any](env *graph.Env, node *graph.Node, k *keyer[K], r *Record[K, V]) (key []byte, ok bool, err error) {
	meta := graph.MetaOf(r)
	if meta.NullKey {
		env.CountersOf(node).In++
		env.Drop(node, graph.NullKey)
		return nil, false, nil
	}
	if meta.Tombstone {
		return nil, false, unplaced(env, node)
	}
	if key, err = k.bytes(meta, r.Key); err != nil {
		return nil, false, failed(node, err)
	}
	env.Counted++
	env.CountersOf(node).In++
	return key, true, nil
}
