package stream

import (
	"fmt"
	"reflect"
	"strconv"

	"github.com/millrace/millrace/processor/internal/graph"
	"github.com/millrace/millrace/schemaregistry/serde"
)

// A Stream is the records that leave an operator. It is a handle for wiring,
// small enough to copy, and may be used any number of times.
type Stream[K, V any] struct {
	b   *Builder
	at  graph.Edge
	key serde.Serde[K] // nil once records of one key may be in several partitions
	lineage
}

// Filter keeps the records for which keep is true.
func (s Stream[K, V]) Filter(keep func(K, V) bool, opts ...Option) Stream[K, V] {
	return s.same("filter", opts, func(_ *graph.Node, down graph.Receiver[K, V]) graph.Receiver[K, V] {
		return func(r *Record[K, V]) error {
			if gone(r) || keep(r.Key, r.Value) {
				return down(r)
			}
			return nil
		}
	})
}

// TryFilter is Filter with a function that sees the whole record and may fail.
func (s Stream[K, V]) TryFilter(keep func(*Context, *Record[K, V]) (bool, error), opts ...Option) Stream[K, V] {
	id := add(s, "filter", opts, func(env *graph.Env, node *graph.Node, down graph.Receiver[K, V]) graph.Receiver[K, V] {
		return func(r *Record[K, V]) error {
			if gone(r) {
				return down(r)
			}
			ok, err := keep(env.Context, r)
			if err != nil {
				return failed(node, err)
			}
			if ok {
				return down(r)
			}
			return nil
		}
	})
	return s.behind(id, 0)
}

// Peek calls look for each record and passes it on. In a replay look is called
// again.
func (s Stream[K, V]) Peek(look func(*Record[K, V]), opts ...Option) Stream[K, V] {
	return s.same("peek", opts, func(_ *graph.Node, down graph.Receiver[K, V]) graph.Receiver[K, V] {
		return func(r *Record[K, V]) error {
			if !gone(r) {
				look(r)
			}
			return down(r)
		}
	})
}

// Merge joins two streams into one. The order inside each is kept; there is
// none between them. What is grouped by its key, or suppressed, behind Merge must
// have the same serde for it on both sides, or Build refuses it: the same key
// would have other bytes, and be in another partition. Serdes are the same if
// they are equal, as compared by reflect.DeepEqual; with a function in it none is.
func (s Stream[K, V]) Merge(other Stream[K, V], opts ...Option) Stream[K, V] {
	if s.b != other.b {
		s.b.graph.Fail("merge: the streams belong to different builders")
		return s
	}
	id := add(s, "merge", opts, func(_ *graph.Env, _ *graph.Node, down graph.Receiver[K, V]) graph.Receiver[K, V] { return down }, other.at)
	merged := s.behind(id, 0)
	merged.lineage = s.merged(other.lineage)
	switch {
	case other.key == nil:
		merged.key, merged.rekeyed = nil, other.rekeyed
	case s.key != nil && !reflect.DeepEqual(s.key, other.key):
		merged.key, merged.rekeyed = nil, fmt.Sprintf("operator %q merges keys of different serdes (%T, %T)", s.b.graph.Node(id).Name, s.key, other.key)
	}
	return merged
}

// rekeyedBy is the stream that leaves an operator which changed the key.
func rekeyedBy[K, V, K2, V2 any](s Stream[K, V], id graph.NodeID) Stream[K2, V2] {
	next := Stream[K2, V2]{b: s.b, at: graph.Edge{From: id}, lineage: s.lineage}
	next.windows = nil
	next.rekeyed = fmt.Sprintf("operator %q changed the key", s.b.graph.Node(id).Name)
	return next
}

// Branch splits the stream: each record goes to the first branch whose
// predicate is true, or to the last one returned, which has the rest. It
// returns one stream more than there are predicates.
func (s Stream[K, V]) Branch(first func(K, V) bool, more ...func(K, V) bool) []Stream[K, V] {
	predicates := append([]func(K, V) bool{first}, more...)
	id := s.b.graph.Add(graph.Node{
		Name: label(s.b, "branch", nil), Kind: graph.OperatorNode,
		Instantiate: func(_ *graph.Env, node *graph.Node, children [][]any) (graph.Instance, error) {
			downs := make([]graph.Receiver[K, V], len(predicates)+1)
			for i := range downs {
				down, err := port[K, V](node, children, i)
				if err != nil {
					return graph.Instance{}, err
				}
				downs[i] = down
			}
			return graph.Instance{Receive: graph.One(branches(predicates, downs))}, nil
		},
	}, s.at)
	out := make([]Stream[K, V], len(predicates)+1)
	for i := range out {
		out[i] = s.behind(id, i)
	}
	return out
}

func branches[K, V any](predicates []func(K, V) bool, downs []graph.Receiver[K, V]) graph.Receiver[K, V] {
	return func(r *Record[K, V]) error {
		if gone(r) {
			return toAll(downs, r)
		}
		for i, matches := range predicates {
			if matches(r.Key, r.Value) {
				return downs[i](r)
			}
		}
		return downs[len(predicates)](r)
	}
}

// same adds an operator that keeps both types.
func (s Stream[K, V]) same(kind string, opts []Option, make func(*graph.Node, graph.Receiver[K, V]) graph.Receiver[K, V]) Stream[K, V] {
	id := add(s, kind, opts, func(_ *graph.Env, node *graph.Node, down graph.Receiver[K, V]) graph.Receiver[K, V] {
		return make(node, down)
	})
	return s.behind(id, 0)
}

// behind is the stream that leaves a node by a port with the key of s.
func (s Stream[K, V]) behind(id graph.NodeID, port int) Stream[K, V] {
	return Stream[K, V]{b: s.b, at: graph.Edge{From: id, Port: port}, key: s.key, lineage: s.lineage}
}

// add adds a stateless operator with one port below s and more.
func add[K, V, K2, V2 any](s Stream[K, V], kind string, opts []Option,
	build func(*graph.Env, *graph.Node, graph.Receiver[K2, V2]) graph.Receiver[K, V], more ...graph.Edge,
) graph.NodeID {
	return s.b.graph.Add(graph.Node{
		Name: label(s.b, kind, opts), Kind: graph.OperatorNode,
		Instantiate: func(env *graph.Env, node *graph.Node, children [][]any) (graph.Instance, error) {
			down, err := port[K2, V2](node, children, 0)
			if err != nil {
				return graph.Instance{}, err
			}
			return graph.Instance{Receive: graph.One(build(env, node, down))}, nil
		},
	}, append([]graph.Edge{s.at}, more...)...)
}

// label names an operator for people: as they said, or by its kind and place.
func label(b *Builder, kind string, opts []Option) string {
	name := kind + "-" + strconv.Itoa(b.graph.Len())
	return collect(opts).only(b, name, "Name").label(name)
}

// port joins the children of one port; a port nobody uses swallows.
func port[K, V any](node *graph.Node, children [][]any, i int) (graph.Receiver[K, V], error) {
	if i >= len(children) {
		return graph.Fan[K, V](node, nil)
	}
	return graph.Fan[K, V](node, children[i])
}

func failed(node *graph.Node, err error) error {
	return &graph.RecordError{Operator: node.Name, Phase: graph.PhaseProcess, Err: err}
}
