package stream

import (
	"iter"

	"github.com/millrace/millrace/processor/internal/graph"
)

// MapValues replaces each value. The key stays.
func MapValues[K, V, W any](s Stream[K, V], f func(V) W, opts ...Option) Stream[K, W] {
	return valuesOf(s, "map-values", opts, func(_ *Context, r *Record[K, V]) (W, error) { return f(r.Value), nil })
}

// TryMapValues is MapValues with a function that sees the whole record and may
// fail.
func TryMapValues[K, V, W any](s Stream[K, V], f func(*Context, *Record[K, V]) (W, error), opts ...Option) Stream[K, W] {
	return valuesOf(s, "map-values", opts, f)
}

func valuesOf[K, V, W any](s Stream[K, V], kind string, opts []Option, f func(*Context, *Record[K, V]) (W, error)) Stream[K, W] {
	id := add(s, kind, opts, func(env *graph.Env, node *graph.Node, down graph.Receiver[K, W]) graph.Receiver[K, V] {
		var out Record[K, W]
		return func(r *Record[K, V]) (err error) {
			if gone(r) {
				return bury(&out, r, down)
			}
			if out.Value, err = f(env.Context, r); err != nil {
				return failed(node, err)
			}
			keep(&out, r)
			return down(&out)
		}
	})
	return Stream[K, W]{b: s.b, at: graph.Edge{From: id}, key: s.key, lineage: s.lineage}
}

// FlatMapValues replaces each value by any number of values, in order. The key
// stays.
func FlatMapValues[K, V, W any](s Stream[K, V], f func(V) iter.Seq[W], opts ...Option) Stream[K, W] {
	return TryFlatMapValues(s, func(_ *Context, r *Record[K, V]) (iter.Seq[W], error) { return f(r.Value), nil }, opts...)
}

// TryFlatMapValues is FlatMapValues with a function that sees the whole record
// and may fail.
func TryFlatMapValues[K, V, W any](s Stream[K, V], f func(*Context, *Record[K, V]) (iter.Seq[W], error), opts ...Option) Stream[K, W] {
	id := add(s, "flat-map-values", opts, func(env *graph.Env, node *graph.Node, down graph.Receiver[K, W]) graph.Receiver[K, V] {
		var out Record[K, W]
		return func(r *Record[K, V]) error {
			if gone(r) {
				return bury(&out, r, down)
			}
			values, err := f(env.Context, r)
			if err != nil {
				return failed(node, err)
			}
			keep(&out, r)
			for out.Value = range values {
				if err := down(&out); err != nil {
					return err
				}
			}
			return nil
		}
	})
	return Stream[K, W]{b: s.b, at: graph.Edge{From: id}, key: s.key, lineage: s.lineage}
}

// Map replaces key and value. The stream is no longer partitioned by its key,
// so an operator that needs that cannot follow directly. Tombstones (see
// Windowed) are dropped and counted as NullValue: without a value there is no
// telling the key.
func Map[K, V, K2, V2 any](s Stream[K, V], f func(K, V) (K2, V2), opts ...Option) Stream[K2, V2] {
	return TryMap(s, func(_ *Context, r *Record[K, V]) (K2, V2, error) {
		k, v := f(r.Key, r.Value)
		return k, v, nil
	}, opts...)
}

// TryMap is Map with a function that sees the whole record and may fail.
func TryMap[K, V, K2, V2 any](s Stream[K, V], f func(*Context, *Record[K, V]) (K2, V2, error), opts ...Option) Stream[K2, V2] {
	id := add(s, "map", opts, func(env *graph.Env, node *graph.Node, down graph.Receiver[K2, V2]) graph.Receiver[K, V] {
		var out Record[K2, V2]
		return func(r *Record[K, V]) (err error) {
			if gone(r) {
				return unplaced(env, node)
			}
			if out.Key, out.Value, err = f(env.Context, r); err != nil {
				return failed(node, err)
			}
			out.Time, out.Headers = r.Time, r.Headers
			*graph.MetaOf(&out) = graph.Meta{Watermark: graph.MetaOf(r).Watermark}
			return down(&out)
		}
	})
	return rekeyedBy[K, V, K2, V2](s, id)
}

// keep gives out everything of r but its value.
func keep[K, V, W any](out *Record[K, W], r *Record[K, V]) {
	out.Key, out.Time, out.Headers = r.Key, r.Time, r.Headers
	*graph.MetaOf(out) = *graph.MetaOf(r)
}
