package stream

import (
	"fmt"
	"slices"

	"github.com/millrace/millrace/processor/internal/graph"
	"github.com/millrace/millrace/schemaregistry/serde"
	"github.com/millrace/millrace/state"
	"github.com/millrace/millrace/windowing"
	"github.com/millrace/millrace/windowing/suppress"
)

// Suppress thins out the changes of a table or of windows. It holds back what is
// sent for a key until the time limit after the first change, and then sends the
// latest, with its own time. Where room is short it sends earlier, if the
// suppression says so. Tombstones are changes too.
//
// Example, limit 10 s: k=1 at 0 s, k=2 at 4 s. When the watermark is at 10 s,
// k=2 is sent, with the time 4 s.
//
// What waits is kept in the store it is named after, so nothing is lost or sent
// twice over a restart. It is Kafka Streams' suppress(untilTimeLimit); for
// untilWindowCloses use windowing.OnClose.
//
// Time is what arrives here: after windows the watermark is later than the
// records by their grace, and so is the end of the limit.
//
// A change that leaves comes of no record: the one that is being processed then
// may only have made room for it. So
//
//   - it leaves after that record, and user code that sees it finds no origin in
//     its Context;
//   - where it is refused, or user code fails over it, the change itself is
//     counted there and dropped, with all that it did, and is the dead letter
//     (see Builder.DeadLetter).
//
// The changes should be sent with Emit(windowing.OnUpdate). With OnCommit the
// limit begins with the first change that happens to be there at a commit.
func Suppress[K, V any](name string, changes Stream[K, V], w windowing.Suppression, value serde.Serde[V]) Stream[K, V] {
	b := changes.b.graph
	if err := w.Validate(); err != nil {
		b.Fail("operator %q: %w", name, err)
	}
	if value == nil {
		b.Fail("operator %q: its value %w", name, errNoSerde)
	}
	switch {
	case changes.key == nil && changes.rekeyed != "":
		b.Fail("operator %q: %s, so changes of one key may be in several partitions; use Repartition before", name, changes.rekeyed)
	case changes.key == nil:
		b.Fail("operator %q: its key %w", name, errNoSerde)
	}
	store := suppress.Store(name)
	spec := store.Spec()
	spec.Traits = append(spec.Traits, state.Format("held values", value))
	b.AddStore(name, stateOf(spec, suppressKind, changes.key, ""))
	id := b.Add(graph.Node{
		Name: name, Kind: graph.OperatorNode, Holds: true, Stores: []string{name},
		Instantiate: func(env *graph.Env, node *graph.Node, children [][]any) (graph.Instance, error) {
			s := &suppressor[K, V]{env: env, node: node}
			return s.open(w, store, changes.key, value, children)
		},
	}, changes.at)
	return changes.behind(id, 0)
}

// suppressor is the operator behind Suppress in one task. It keeps values
// encoded: what waits is then a copy that nobody else can change, and its size
// is known.
type suppressor[K, V any] struct {
	env   *graph.Env
	node  *graph.Node
	keys  *keyer[K]
	value serde.Codec[V]
	held  *suppress.Suppressor
	down  graph.Receiver[K, V]
	send  func() error // out
	out   Record[K, V]
	buf   []byte
	left  []leaving // since the record began that is under way
}

// leftRetained bounds for how many changes that leave at once room is kept.
const leftRetained = 1 << 10

// leaving is a change that has left the store and is to be sent when the record, or
// the other change, that is under way has come through.
type leaving struct {
	key    []byte
	held   suppress.Held
	judged windowing.EventTime // by which it is judged
}

func (s *suppressor[K, V]) open(w windowing.Suppression, store state.KV[[]byte, suppress.Held],
	key serde.Serde[K], value serde.Serde[V], children [][]any,
) (inst graph.Instance, err error) {
	if s.down, err = port[K, V](s.node, children, 0); err != nil {
		return inst, err
	}
	if s.keys, err = newKeyer(key, s.node.Name); err != nil {
		return inst, err
	}
	if s.value, err = value.Bind(serde.Use{Role: serde.State, Name: s.node.Name}); err != nil {
		return inst, err
	}
	opened, err := store.Open(s.env)
	if err != nil {
		return inst, err
	}
	if s.held, err = suppress.New(w, opened, s.emit); err != nil {
		return inst, err
	}
	s.send = func() error { return s.down(&s.out) }
	return graph.Instance{Receive: graph.One(s.receive), Timed: s.held, Undoable: s, Leave: s.Leave}, nil
}

func (s *suppressor[K, V]) receive(r *Record[K, V]) (err error) {
	c := s.env.CountersOf(s.node)
	meta := graph.MetaOf(r)
	if meta.NullKey {
		c.In++
		s.env.Drop(s.node, graph.NullKey)
		return nil
	}
	key, err := s.keys.bytes(meta, r.Key)
	if err != nil {
		return failed(s.node, err)
	}
	if !gone(r) {
		if s.buf, err = s.value.Append(s.buf[:0], r.Value); err != nil {
			return failed(s.node, fmt.Errorf("encode value: %w", err))
		}
	}
	if err := s.held.Change(key, s.buf, gone(r), r.Time); err != nil {
		return fmt.Errorf("operator %q: %w", s.node.Name, err)
	}
	c.In++ // not before: what fails is counted at its source
	c.Processed++
	return nil
}

// emit sends a change that the suppression lets go. While something is under way that
// may yet be taken back it only leaves: Leave sends it.
func (s *suppressor[K, V]) emit(key []byte, h *suppress.Held) error {
	if s.env.Between() {
		return s.release(key, h, s.held.Passed())
	}
	n := len(s.left)
	s.left = slices.Grow(s.left, 1)[:n+1]
	l := &s.left[n]
	l.key, l.judged = append(l.key[:0], key...), s.held.Passed()
	value := append(l.held.Value[:0], h.Value...)
	l.held, l.held.Value = *h, value
	return nil
}

// Leave sends what has left, in its order.
func (s *suppressor[K, V]) Leave() error {
	for i := range s.left {
		l := &s.left[i]
		if err := s.release(l.key, &l.held, l.judged); err != nil {
			return err
		}
	}
	if s.left = s.left[:0]; cap(s.left) > leftRetained {
		s.left = nil
	}
	return nil
}

// Mark implements graph.Undoable. Nothing has left that is not sent.
func (s *suppressor[K, V]) Mark() { s.held.Mark() }

// Undo implements graph.Undoable.
func (s *suppressor[K, V]) Undo() {
	s.held.Undo()
	s.left = s.left[:0]
}

// Keep implements graph.Undoable.
func (s *suppressor[K, V]) Keep() { s.held.Keep() }

// release sends a change, to be judged by a watermark.
func (s *suppressor[K, V]) release(key []byte, h *suppress.Held, judged windowing.EventTime) (err error) {
	var zero V
	s.out.Value = zero
	if s.out.Key, err = s.keys.codec.Decode(key); err != nil {
		return err
	}
	if !h.Gone {
		if s.out.Value, err = s.value.Decode(h.Value); err != nil {
			return err
		}
	}
	s.out.Time = h.Time
	*graph.MetaOf(&s.out) = graph.Meta{Watermark: judged, Tombstone: h.Gone}
	held := graph.Out{Key: key, Timestamp: int64(h.Time), Value: h.Value}
	if h.Gone {
		held.Value = nil
	} else if h.Value == nil {
		held.Value = []byte{} // it is empty, and nil means null
	}
	return s.env.Release(s.node, held, s.send)
}
