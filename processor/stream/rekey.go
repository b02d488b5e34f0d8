package stream

import (
	"iter"

	"github.com/millrace/millrace/processor/internal/graph"
)

// SelectKey gives each record the key that f finds in it. The value stays. The
// stream is no longer partitioned by its key, and tombstones are dropped, as
// with Map.
func SelectKey[K, V, K2 any](s Stream[K, V], f func(K, V) K2, opts ...Option) Stream[K2, V] {
	id := add(s, "select-key", opts, func(env *graph.Env, node *graph.Node, down graph.Receiver[K2, V]) graph.Receiver[K, V] {
		var out Record[K2, V]
		return func(r *Record[K, V]) error {
			if gone(r) {
				return unplaced(env, node)
			}
			rekey(&out, r)
			out.Key, out.Value = f(r.Key, r.Value), r.Value
			return down(&out)
		}
	})
	return rekeyedBy[K, V, K2, V](s, id)
}

// FlatMap replaces each record by any number of keys and values, in order. The
// stream is no longer partitioned by its key, and tombstones are dropped, as
// with Map.
func FlatMap[K, V, K2, V2 any](s Stream[K, V], f func(K, V) iter.Seq2[K2, V2], opts ...Option) Stream[K2, V2] {
	return TryFlatMap(s, func(_ *Context, r *Record[K, V]) (iter.Seq2[K2, V2], error) { return f(r.Key, r.Value), nil }, opts...)
}

// TryFlatMap is FlatMap with a function that sees the whole record and may
// fail.
func TryFlatMap[K, V, K2, V2 any](s Stream[K, V], f func(*Context, *Record[K, V]) (iter.Seq2[K2, V2], error), opts ...Option) Stream[K2, V2] {
	id := add(s, "flat-map", opts, func(env *graph.Env, node *graph.Node, down graph.Receiver[K2, V2]) graph.Receiver[K, V] {
		var out Record[K2, V2]
		return func(r *Record[K, V]) error {
			if gone(r) {
				return unplaced(env, node)
			}
			pairs, err := f(env.Context, r)
			if err != nil {
				return failed(node, err)
			}
			rekey(&out, r)
			for out.Key, out.Value = range pairs {
				if err := down(&out); err != nil {
					return err
				}
			}
			return nil
		}
	})
	return rekeyedBy[K, V, K2, V2](s, id)
}

// rekey gives out everything of r but its key and value.
func rekey[K, V, K2, V2 any](out *Record[K2, V2], r *Record[K, V]) {
	out.Time, out.Headers = r.Time, r.Headers
	*graph.MetaOf(out) = graph.Meta{Watermark: graph.MetaOf(r).Watermark}
}
