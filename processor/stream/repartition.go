package stream

import (
	"fmt"
	"math"

	"github.com/millrace/millrace/processor/internal/graph"
	"github.com/millrace/millrace/schemaregistry/serde"
	"github.com/millrace/millrace/state"
	"github.com/millrace/millrace/windowing"
)

// Partitions sets the number of partitions of a repartition topic, from 1 to
// 2^31-1. The default, also asked for with 0, is the highest number among the
// topics its records come from.
func Partitions(n int) Option { return func(o *options) { o.partitions = n } }

// GroupBy groups a stream by a new key. It always writes the records to an
// internal topic, <application.id>-<name>-repartition, so that those of one key
// come together; use the result as often as you like, the topic is one. Times
// and watermarks go with the records: which are late behind it is decided as if
// there were no topic between. Build refuses results that are not final (see
// EachUpdate).
func GroupBy[K, V, K2 any](name string, s Stream[K, V], key func(K, V) K2, keys serde.Serde[K2], values serde.Serde[V], opts ...Option) Grouped[K2, V] {
	rekeyed := Map(s, func(k K, v V) (K2, V) { return key(k, v), v }, Name(name+"-key"))
	return GroupByKey(Repartition(name, rekeyed, keys, values, opts...))
}

// Repartition writes a stream to an internal topic,
// <application.id>-<name>-repartition, and reads it back, so that the records
// of one key are in one partition. Records without a key are dropped and
// counted. Build refuses results that are not final (see EachUpdate). Without a
// serde for the keys they are written with the one they have, as with To.
func Repartition[K, V any](name string, s Stream[K, V], keys serde.Serde[K], values serde.Serde[V], opts ...Option) Stream[K, V] {
	o := collect(opts).only(s.b, name, "Partitions")
	s = s.final(fmt.Sprintf("repartition %q", name))
	if keys == nil {
		keys = s.key
	}
	s.fits(fmt.Sprintf("repartition %q", name), keys)
	if keys == nil || values == nil {
		s.b.graph.Fail("repartition %q: the key or the value %w", name, errNoSerde)
	}
	if o.partitions < 0 || o.partitions > math.MaxInt32 {
		s.b.graph.Fail("repartition %q: %d partitions; give it from 1 to %d, or leave the option out", name, o.partitions, math.MaxInt32)
	} else if o.partitions > 0 {
		s.b.graph.SetPartitions(name, int32(o.partitions))
	}
	topic, format := Topic[K, V]{Name: name, Key: keys, Value: values}, formatOf(keys, values)
	s.b.graph.Add(graph.Node{
		Name: "to:" + name, Kind: graph.SinkNode, Topic: name, Internal: true, Format: format,
		Instantiate: func(env *graph.Env, node *graph.Node, _ [][]any) (graph.Instance, error) {
			inner, err := newSink(env, node, topic)
			if err != nil {
				return graph.Instance{}, err
			}
			e := newEdgeSink(inner, env.Run, format)
			return graph.Instance{Receive: graph.One(e.receive), Teller: e, Undoable: e}, nil
		},
	}, s.at)
	out := addSource(s.b, topic, graph.Node{Name: "from:" + name, Kind: graph.SourceNode, Topic: name, Internal: true, Format: format})
	out.windows = s.windows
	return out
}

// formatOf is the format of a repartition topic. Two versions have to write the keys
// alike, or one key would be in two partitions.
func formatOf[K, V any](keys serde.Serde[K], values serde.Serde[V]) *graph.Format {
	if keys == nil || values == nil {
		return nil // Build fails
	}
	return graph.NewFormat(state.KeyFormat("keys", keys), state.Format("values", values))
}

// headerSlab is how many header lists are allocated at a time.
const headerSlab = 256

// An edgeSink is the sink of a repartition topic. Each record carries how far
// the time had come here before it, so that a reader takes it in order; what a
// partition has not been told that way is told by a control record at the next
// commit, in the same transaction.
type edgeSink[K, V any] struct {
	*sink[K, V]
	now    graph.Time
	told   []told // by partition
	slab   []graph.Header
	run    []byte
	format graph.FormatHash
	words  []byte // those of format

	noting bool         // there is a savepoint
	noted  []toldBefore // since then, oldest first
}

// told is what a partition was told by this instance.
type told struct {
	time  graph.Time
	words bool // those of the format
}

// A toldBefore is what a partition had been told.
type toldBefore struct {
	partition int32
	told
}

func newEdgeSink[K, V any](inner *sink[K, V], run string, format *graph.Format) *edgeSink[K, V] {
	e := &edgeSink[K, V]{
		sink: inner, told: make([]told, inner.partitions), run: []byte(run), now: graph.Time{Watermark: windowing.NoTime},
		format: format.Hash(), words: []byte(format.Words()),
	}
	for i := range e.told {
		e.told[i].time = e.now
	}
	return e
}

func (e *edgeSink[K, V]) receive(r *Record[K, V]) error {
	e.env.Touch(e.node)
	meta := graph.MetaOf(r)
	if meta.NullKey {
		e.env.CountersOf(e.node).In++
		e.env.Drop(e.node, graph.NullKey)
		return nil
	}
	if meta.Tombstone { // of no use to what reads the topic
		return unplaced(e.env, e.node)
	}
	out, err := e.encode(r)
	if err != nil {
		return err
	}
	stamp, err := e.stamp(graph.Stamp{Passed: e.now, Record: meta.Watermark})
	if err != nil {
		return err
	}
	out.Headers = e.with(out.Headers, stamp)
	if taken, err := e.taken(&out); !taken {
		return err
	}
	if !e.told[out.Partition].words {
		if err := e.tell(out.Partition); err != nil {
			return err
		}
	}
	e.send(&out)
	e.has(out.Partition)
	return nil
}

// has notes that a partition has been told the time by what was just sent to it.
func (e *edgeSink[K, V]) has(partition int32) {
	if e.noting {
		e.noted = append(e.noted, toldBefore{partition, e.told[partition]})
	}
	e.told[partition] = told{e.now, true}
}

// Mark implements graph.Undoable.
func (e *edgeSink[K, V]) Mark() { e.noting, e.noted = true, e.noted[:0] }

// Undo implements graph.Undoable: what a record that was not sent would have
// told is not known to anybody.
func (e *edgeSink[K, V]) Undo() {
	for i := len(e.noted) - 1; i >= 0; i-- {
		e.told[e.noted[i].partition] = e.noted[i].told
	}
	e.Keep()
}

// Keep implements graph.Undoable.
func (e *edgeSink[K, V]) Keep() { e.noting, e.noted = false, e.noted[:0] }

// with adds the stamp to the headers of a record.
func (e *edgeSink[K, V]) with(headers []graph.Header, stamp graph.Header) []graph.Header {
	if len(headers) > 0 {
		return append(headers[:len(headers):len(headers)], stamp)
	}
	if len(e.slab) == 0 {
		e.slab = make([]graph.Header, headerSlab)
	}
	list := e.slab[:1:1]
	e.slab = e.slab[1:]
	list[0] = stamp
	return list
}

func (e *edgeSink[K, V]) stamp(s graph.Stamp) (graph.Header, error) {
	s.Task, s.Tasks, s.Run, s.Format = e.env.Task, e.env.Tasks, e.run, e.format
	value, err := graph.Append(e.env.Outbox, serde.Codec[graph.Stamp](graph.Stamps{}), s)
	return graph.Header{Key: graph.HeaderStamp, Value: value}, err
}

// Pass implements graph.Teller.
func (e *edgeSink[K, V]) Pass(t graph.Time) { e.now = t }

// Owes implements graph.Teller.
func (e *edgeSink[K, V]) Owes() bool {
	for i := range e.told {
		if e.told[i].time != e.now {
			return true
		}
	}
	return false
}

// Tell implements graph.Teller.
func (e *edgeSink[K, V]) Tell(renew bool) error {
	for p := range e.told {
		if e.told[p].time == e.now && !renew {
			continue
		}
		if err := e.tell(int32(p)); err != nil {
			return err
		}
	}
	return nil
}

// tell sends a control record to a partition: the time, and in the first one the
// words of the format, unless they are too many for the topic. Both are in the stamp:
// the record's own time is one that the topic takes, whoever has bounded it.
func (e *edgeSink[K, V]) tell(partition int32) error {
	s := graph.Stamp{Passed: e.now, Record: e.now.Watermark, Control: true}
	if !e.told[partition].words {
		s.Words = e.words
	}
	out, err := e.control(partition, s)
	if err == nil && len(s.Words) > 0 && !e.limits.Takes(&out, e.env.Wall) {
		s.Words = nil
		out, err = e.control(partition, s)
	}
	if err != nil {
		return fmt.Errorf("tell the time to partition %d of %q: %w", partition, e.node.Topic, err)
	}
	e.env.Outbox.Send(out)
	e.has(partition)
	return nil
}

func (e *edgeSink[K, V]) control(partition int32, s graph.Stamp) (graph.Out, error) {
	stamp, err := e.stamp(s)
	at := e.limits.Clamp(max(int64(e.now.Watermark), 0), e.env.Wall)
	return graph.Out{Topic: e.node.Topic, Partition: partition, Timestamp: at, Headers: []graph.Header{stamp}}, err
}
