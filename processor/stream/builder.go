package stream

import (
	"errors"
	"slices"

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

// Header is one record header: its Key, and a Value whose bytes never change
// once the header was made.
type Header = graph.Header

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
// dropped. The default is that the application stops and keeps its offset, and
// so it does, whatever is set, where user code fails and no record is to blame:
// what fails behind windows or a table when they send at their own time, as a
// window closes or at a commit, must be filtered out before the operator that
// refuses it. A result that its topic would refuse (see To) is covered then too.
func (b *Builder) SkipErrors() { b.graph.SetPolicy(graph.ErrorPolicy{OnError: graph.Skip}) }

// DeadLetter has records that cannot be decoded or processed sent to topic, in
// the same transaction as everything else, with the original key, value,
// headers and timestamp and with headers that say what happened (KIP-1034's
// names where they exist). With also, records dropped for those reasons are
// sent there too. A record that had effects before it failed leaves none.
// User code that fails as a window closes or at a commit stops the application,
// as with SkipErrors. Build refuses a topic without a name and one that the
// application reads.
//
// A dead letter always gets out: where the topic does not take it as it is, long
// headers are cut, then key and value are replaced by the hex SHA-256 of their
// bytes (header __millrace.errors.payload); its time is brought into the bounds
// of the topic (the original is in __millrace.errors.timestamp); and where the
// topic is compacted a record without a key gets "topic-partition-offset" (header
// __millrace.errors.key). The headers of an earlier failure are replaced, but for
// __millrace.errors.first.failed.at, and __millrace.errors.attempts counts up.
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
	clamp        bool // of a sink

	name  string
	watch *watermarks
	emit  *emission

	version    string // of what an operator keeps
	combine    bool   // a reduction may gather what was gathered before
	partitions int    // of a repartition topic; 0: as its sources
}

func collect(opts []Option) options {
	var o options
	for _, opt := range opts {
		opt(&o)
	}
	return o
}

// only reports the options that have no effect on an operator: all but those it
// takes.
func (o options) only(b *Builder, operator string, takes ...string) options {
	for _, option := range []struct {
		name, hint string
		given      bool
	}{
		{"Name", "it has a name", o.name != ""},
		{"Watermark", "it belongs to From", o.watch != nil},
		{"Emit", "it belongs to tables, windows have a method Emit", o.emit != nil},
		{"StateVersion", "it belongs to operators with state", o.version != ""},
		{"CombineReduce", "it belongs to ReduceWindows", o.combine},
		{"Partitions", "it belongs to Repartition and GroupBy", o.partitions != 0},
		{"Completeness", "it belongs to To", o.completeness},
		{"ClampTime", "it belongs to To", o.clamp},
	} {
		if option.given && !slices.Contains(takes, option.name) {
			b.graph.Fail("operator %q: the option %s has no effect on it: %s; leave it out", operator, option.name, option.hint)
		}
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
