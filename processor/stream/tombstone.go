package stream

import "github.com/millrace/millrace/processor/internal/graph"

// Tombstones go down the graph beside the values. No user function sees one,
// for there is no value to show: operators that keep the key pass it on, a
// branch to all sides, for nobody knows which had the value; those that find a
// new key in the value cannot, and drop it; so do aggregates and
// repartition topics, which are there for those. A sink writes null.

// gone says that a record is a tombstone.
func gone[K, V any](r *Record[K, V]) bool { return graph.MetaOf(r).Tombstone }

// bury passes a tombstone on where the values are replaced.
func bury[K, V, W any](out *Record[K, W], r *Record[K, V], down graph.Receiver[K, W]) error {
	var zero W
	out.Value = zero
	keep(out, r)
	return down(out)
}

// toAll passes a tombstone to every branch.
func toAll[K, V any](downs []graph.Receiver[K, V], r *Record[K, V]) error {
	for _, down := range downs {
		if err := down(r); err != nil {
			return err
		}
	}
	return nil
}

// unplaced drops a tombstone that goes no further at node. It is not routed: what
// would be sent is the record that is being processed, and that one is fine.
func unplaced(env *graph.Env, node *graph.Node) error {
	env.Counted++
	c := env.CountersOf(node)
	c.In++
	c.Dropped[graph.NullValue]++
	return nil
}
