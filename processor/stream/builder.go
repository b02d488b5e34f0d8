package stream

import (
	"errors"

	"github.com/millrace/millrace/processor/internal/graph"
)

// Topology is what Build returns and processor.New runs: immutable, and safe
// for concurrent use.
type Topology = graph.Topology

// Record is what Try functions see of one event. It is valid only during the
// call.
type Record[K, V any] = graph.Record[K, V]

// Headers is an immutable list of record headers.
type Headers = graph.Headers

// Context tells a Try function where the record it handles came from.
type Context = graph.Context

// Reason says why a record went no further.
type Reason = graph.Reason

// The drops that can be routed to the dead-letter topic.
const (
	Late        = graph.Late
	Future      = graph.Future
	NullKey     = graph.NullKey
	NullValue   = graph.NullValue
	NoTimestamp = graph.NoTimestamp
)

// A Builder collects the operators of one application.
type Builder struct{ graph *graph.Builder }

// New starts a topology; name is shown where the topology is described.
func New(name string) *Builder { return &Builder{graph: graph.NewBuilder(name)} }

// SkipErrors has records that cannot be decoded or processed counted and
// dropped. The default is that the application stops and keeps its offset.
func (b *Builder) SkipErrors() { b.graph.SetPolicy(graph.ErrorPolicy{OnError: graph.Skip}) }

// DeadLetter has records that cannot be decoded or processed sent to topic, in
// the same transaction as everything else, with the original key, value,
// headers and timestamp and with headers that say what happened (KIP-1034's
// names where they exist). With also, records dropped for those reasons are
// sent there too. A record that had effects before it failed is taken back:
// the transaction is aborted and replayed without it.
func (b *Builder) DeadLetter(topic string, also ...Reason) {
	b.graph.SetPolicy(graph.ErrorPolicy{OnError: graph.DeadLetter, Topic: topic, Route: also})
}

// HashedDeadLetter is DeadLetter for topics whose content must not be copied:
// key and value are replaced by the hex SHA-256 of their bytes.
func (b *Builder) HashedDeadLetter(topic string, also ...Reason) {
	b.graph.SetPolicy(graph.ErrorPolicy{OnError: graph.DeadLetter, Topic: topic, Route: also, HashPayload: true})
}

// Build checks the topology and returns it. The error names every mistake.
func (b *Builder) Build() (*Topology, error) { return b.graph.Build() }

// An Option tunes one operator.
type Option func(*options)

type options struct {
	completeness bool // of a sink

	name  string
	watch *watermarks
	emit  *emission

	combine    bool // a reduction may gather what was gathered before
	partitions int  // of a repartition topic; 0: as its sources
}

func collect(opts []Option) options {
	var o options
	for _, opt := range opts {
		opt(&o)
	}
	return o
}

// Name sets the name under which a stateless operator is shown in descriptions,
// errors and metrics. It is never part of a topic's or a store's name.
func Name(name string) Option { return func(o *options) { o.name = name } }

func (o options) label(fallback string) string {
	if o.name != "" {
		return o.name
	}
	return fallback
}

var errNoSerde = errors.New("has no serde")
