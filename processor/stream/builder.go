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

// Origin is the place of a record: topic, partition and offset.
type Origin = graph.Origin

// Reason says why a record went no further.
type Reason = graph.Reason

// The drops: an operator lets a record go no further. DeadLetter sends those there
// that it names.
const (
	Late        = graph.Late        // all windows of the record are closed
	Future      = graph.Future      // further ahead than MaxAhead allows
	NullKey     = graph.NullKey     // no key, but the operator needs one
	NullValue   = graph.NullValue   // no value on a stream
	NoTimestamp = graph.NoTimestamp // a negative timestamp, or none where it is looked for
)

// The failures: they are what the error policy answers, so under DeadLetter they
// are dead letters always, and it is a mistake to name them to it. A test asks a
// driver for their number, as for that of drops.
const (
	Decode  = graph.Decode  // the key or the value could not be decoded
	Failed  = graph.Process // user code returned an error or panicked
	Refused = graph.Refused // a result that its topic would refuse (see To)
)

// A Builder collects the operators of one application.
type Builder struct{ graph *graph.Builder }

// New starts a topology; name is shown where the topology is described.
func New(name string) *Builder { return &Builder{graph: graph.NewBuilder(name)} }

// SkipErrors has records that fail counted and dropped: those that cannot be
// decoded or processed, and those whose result its topic would refuse (see To).
// The default is that the application stops and keeps its offset.
//
// What Suppress sends comes of no record, so where user code fails over it the
// change itself is dropped, with all that it did, and is counted at the operator
// that failed. The record that has made room for it, or has let the time pass,
// goes on.
//
// Whatever is set, the application stops where user code fails and no record is
// to blame: behind windows or a table when they send at their own time, as a
// window closes or at a commit. What would fail there must be filtered out
// before the operator that refuses it. A result that its topic would refuse is
// covered then too.
func (b *Builder) SkipErrors() { b.graph.SetPolicy(graph.ErrorPolicy{OnError: graph.Skip}) }

// DeadLetter has records that fail, as in SkipErrors, sent to topic. The letter is
// in the same transaction as everything else. It has the original key, value,
// headers and timestamp, and headers that say what happened.
//
//   - With also, records that are dropped for those reasons are sent there too,
//     once for each operator that drops them. Another operator may have taken the
//     record, so who sends such a letter back has it counted there twice.
//   - A record that had effects before it failed leaves none. Only its time stays:
//     that has moved the time of its partition as any record's does.
//   - Of what Suppress sends the change itself is the dead letter, with its key
//     and value as they are kept.
//   - User code that fails as a window closes or at a commit stops the
//     application, as with SkipErrors.
//   - Build refuses a topic without a name, and one that the application reads.
//
// A dead letter always gets out. Where its topic does not take it as it is
//
//   - long headers are cut;
//   - then key and value are replaced by the hex SHA-256 of their bytes (header
//     __millrace.errors.payload);
//   - its time is brought into the bounds of the topic (the original is in
//     __millrace.errors.timestamp);
//   - in a compacted topic a record without a key gets
//     "topic-partition-offset" (header __millrace.errors.key).
//
// A letter that fails again has the headers of its last failure. Only the numbers
// in __millrace.errors.first.failed.at and __millrace.errors.timestamp stay, and
// __millrace.errors.attempts counts up.
//
// The headers, in UTF-8, numbers in decimal; those of KIP-1034 keep its names.
// Texts have 256 bytes at most, or as many as are said, and what is no UTF-8
// in them is U+FFFD:
//
//	__streams.errors.exception            type of the error; panic(type) of what was panicked with; "dropped"
//	__streams.errors.message              text of the error, 1 KiB at most; the reason of a drop
//	__streams.errors.stacktrace           of a panic, 4 KiB at most, as far as there is room
//	__streams.errors.topic                where the record came from
//	__streams.errors.partition
//	__streams.errors.offset
//	__millrace.errors.reason              a Reason, as in metrics: decode, process, refused, late, ...
//	__millrace.errors.phase               decode, process or produce
//	__millrace.errors.operator            name of the operator; of a panic in the functions given to operators,
//	                                      the innermost function of user code, with file and line
//	__millrace.errors.fingerprint         equal for failures of one phase, operator, type and, of panics, place
//	__millrace.errors.attempts            how often the record has become a dead letter
//	__millrace.errors.first.failed.at     ms since epoch
//	__millrace.errors.application.id      Config.ApplicationID
//	__millrace.errors.version             Config.Version
//	__millrace.errors.sink                instead of topic, partition and offset: the topic of a result that comes
//	                                      of no record, as of a window, which is its own original
//	__millrace.errors.held                instead of them too: the name of the Suppress that sent the change, which
//	                                      is its own original
//	__millrace.errors.payload             "sha256": key and value are hashes
//	__millrace.errors.timestamp           the original's, in ms since epoch, where the topic does not take that
//	__millrace.errors.key                 "none": the original has none
//	__millrace.errors.headers             "cut": the original's are shorter here, or missing
func (b *Builder) DeadLetter(topic string, also ...Reason) {
	b.deadLetter(graph.ErrorPolicy{Topic: topic, Route: also})
}

// HashedDeadLetter is DeadLetter for topics whose content must not be copied:
// key and value are replaced by the hex SHA-256 of their bytes.
func (b *Builder) HashedDeadLetter(topic string, also ...Reason) {
	b.deadLetter(graph.ErrorPolicy{Topic: topic, Route: also, HashPayload: true})
}

func (b *Builder) deadLetter(p graph.ErrorPolicy) {
	for _, r := range p.Route {
		if r == Decode || r == Failed || r == Refused {
			b.graph.Fail("dead-letter topic %q: %v is no reason for which an operator drops records but a failure, and those are sent there always; leave it out", p.Topic, r)
		}
	}
	p.OnError = graph.DeadLetter
	b.graph.SetPolicy(p)
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
	uses       []StoreHandle
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
		{"Uses", "it belongs to Process", len(o.uses) > 0},
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
