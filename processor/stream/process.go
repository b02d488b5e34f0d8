package stream

import (
	"errors"
	"fmt"
	"slices"

	"github.com/millrace/millrace/processor/internal/graph"
	"github.com/millrace/millrace/state"
)

// A Processor handles the records of a stream in one task, one at a time: it reads
// and writes the stores that were opened for it and sends what it likes by c. It is
// Kafka Streams' Processor.
//
// r and c are valid only during the call. What the processor does must follow from
// the record, its origin and the stores, for after a fault the same records come
// again. What it keeps elsewhere is lost after an abort, and is not taken back with
// a record that fails. It is called by one goroutine, and starts none that uses c
// or a store.
//
// An error is a failure of the record, as of a Try function, and so is a panic:
// the error policy says what becomes of the record. Nothing of it is left then,
// neither in the stores nor in what was sent. An error of the disk below the
// stores ends the task, whatever the processor makes of it.
type Processor[K, V, K2, V2 any] func(c *ProcessContext[K2, V2], r *Record[K, V]) error

// Process hands every record to a processor, which may keep state and send any
// number of records, in turn. It is Kafka Streams' process.
//
// open is called in each task, before its first record and again after an abort. It
// opens the stores that the option Uses declares, by their handles, and returns the
// processor of the task. What a store holds is the store's own: a value that has
// pointers in it is changed by Update, never as it comes from Get.
//
// A store is one for each partition. The records are not sent through a topic
// first: who looks up what records with the same key have left takes a stream that
// is partitioned by that key, by Repartition if need be. Behind Process the key
// counts as changed. Tombstones (see Windowed) are dropped and counted as
// NullValue. With stores, Build refuses results that are not final (see
// EachUpdate).
//
// It takes the options Uses and, with that, StateVersion.
func Process[K, V, K2, V2 any](name string, s Stream[K, V], open func(state.Opener) (Processor[K, V, K2, V2], error), opts ...Option) Stream[K2, V2] {
	o := collect(opts)
	if open == nil {
		s.b.graph.Fail("operator %q: nothing makes its processor: give it a function", name)
	}
	if len(o.uses) > 0 {
		o.only(s.b, name, "Uses", "StateVersion")
		s = s.final(fmt.Sprintf("operator %q", name))
	} else {
		o.only(s.b, name, "Uses")
	}
	id := s.b.graph.Add(graph.Node{
		Name: name, Kind: graph.OperatorNode, Stores: o.connect(s.b, name),
		Instantiate: func(env *graph.Env, node *graph.Node, children [][]any) (inst graph.Instance, err error) {
			p := &process[K, V, K2, V2]{env: env, node: node}
			p.context.record = env.Context
			if p.context.down, err = port[K2, V2](node, children, 0); err != nil {
				return inst, err
			}
			if p.run, err = open(connected{env, node}); err != nil {
				return inst, err
			}
			if p.run == nil {
				return inst, errors.New("its function made no processor")
			}
			return graph.Instance{Receive: graph.One(p.receive)}, nil
		},
	}, s.at)
	return rekeyedBy[K, V, K2, V2](s, id)
}

// A StoreHandle is the handle of a store: a state.KV.
type StoreHandle interface {
	// Spec is what a task must know of the store.
	Spec() state.Spec
}

// Uses declares the stores that a processor opens. Processors that declare the
// same handle share the store: what one writes the others read, each in the task of
// its partition. They are then one sub-topology, so what they read has the same
// number of partitions. A version that lacks one of them goes on with the store:
// the one that is away is not brought up when it is back.
func Uses(stores ...StoreHandle) Option {
	return func(o *options) { o.uses = append(o.uses, stores...) }
}

// connect gives the topology the stores of a processor and returns their names.
func (o options) connect(b *Builder, operator string) (names []string) {
	for _, handle := range o.uses {
		spec := handle.Spec()
		if spec.Kind != state.KeyValue {
			b.graph.Fail("operator %q: store %q is a %v store, and a processor uses key-value stores; declare a state.KV", operator, spec.Name, spec.Kind)
		}
		if slices.Contains(names, spec.Name) {
			continue
		}
		spec.Traits = append(spec.Traits, state.Trait{Name: "operator", Value: processKind}, state.Trait{Name: "version", Value: o.version})
		b.graph.ShareStore(operator, spec)
		names = append(names, spec.Name)
	}
	return names
}

// connected are the stores of a task as a node may open them.
type connected struct {
	env  *graph.Env
	node *graph.Node
}

// Stores implements state.Opener.
func (c connected) Stores() *state.Stores { return c.env.Stores() }

// Connected implements state.Limited.
func (c connected) Connected(store string) bool { return slices.Contains(c.node.Stores, store) }

// A process is the operator behind Process in one task.
type process[K, V, K2, V2 any] struct {
	env     *graph.Env
	node    *graph.Node
	run     Processor[K, V, K2, V2]
	context ProcessContext[K2, V2]
}

func (p *process[K, V, K2, V2]) receive(r *Record[K, V]) error {
	if gone(r) {
		return unplaced(p.env, p.node)
	}
	c, meta := &p.context, graph.MetaOf(r)
	rekey(&c.out, r)
	c.headers, c.nullKey, c.failed = r.Headers, meta.NullKey, nil
	if err := p.run(c, r); err != nil || c.failed != nil {
		return p.failure(err)
	}
	if len(p.node.Stores) > 0 {
		counters := p.env.CountersOf(p.node) // not before: what fails is counted at its source
		counters.In++
		counters.Processed++
	}
	return nil
}

// failure is what the task is told where a processor failed. What went wrong
// behind it counts, whatever it makes of that.
func (p *process[K, V, K2, V2]) failure(err error) error {
	if behind := p.context.failed; behind != nil {
		return behind
	}
	if stores := p.env.Stores(); stores != nil && stores.Err() != nil {
		return stores.Err()
	}
	return failed(p.node, err)
}

// A ProcessContext tells a Processor about the record it handles and sends what
// comes of it. It belongs to the task and is valid only during the call it is
// passed to. It is Kafka Streams' ProcessorContext.
type ProcessContext[K, V any] struct {
	record  *Context
	out     Record[K, V]
	headers *Headers // of the record
	down    graph.Receiver[K, V]
	nullKey bool
	failed  error // of the first Forward that did
}

// Origin says from where the record came that was read and has led to this one;
// false if there is none, as where a window closes.
func (c *ProcessContext[K, V]) Origin() (Origin, bool) { return c.record.Origin() }

// NullKey reports whether the record has no key. Its Key is then the zero value.
func (c *ProcessContext[K, V]) NullKey() bool { return c.nullKey }

// Forward sends a key and a value on, with the time and the headers of the record.
// All operators behind have taken them when it returns; those that share a store
// with the processor may have changed that. An error is theirs, and fails the
// record also where the processor does not return it.
func (c *ProcessContext[K, V]) Forward(key K, value V) error {
	return c.ForwardWith(key, value, c.headers)
}

// ForwardWith is Forward with other headers; nil for none.
func (c *ProcessContext[K, V]) ForwardWith(key K, value V, headers *Headers) error {
	if c.failed != nil {
		return c.failed
	}
	c.out.Key, c.out.Value, c.out.Headers = key, value, headers
	c.failed = c.down(&c.out)
	return c.failed
}
