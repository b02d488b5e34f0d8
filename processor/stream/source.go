package stream

import (
	"fmt"

	"github.com/millrace/millrace/processor/internal/graph"
	"github.com/millrace/millrace/schemaregistry/serde"
	"github.com/millrace/millrace/windowing"
)

// Watermark sets how event time is read off the partitions of a source. The
// default is windowing.Ascending: the highest timestamp seen, as Kafka Streams'
// stream time, but for each partition.
func Watermark(w windowing.Watermarks) Option {
	return func(o *options) { o.watch = &watermarks{w} }
}

type watermarks struct{ windowing.Watermarks }

// From reads a topic. Records with a null value, without a timestamp, or too
// far in the future (windowing.Watermarks.MaxAhead, 24 h) are dropped and
// counted as NullValue, NoTimestamp and Future.
func From[K, V any](b *Builder, topic Topic[K, V], opts ...Option) Stream[K, V] {
	o := collect(opts).only(b, "source:"+topic.Name, "Name", "Watermark")
	strategy := windowing.Ascending()
	if o.watch != nil {
		strategy = o.watch.Watermarks
	}
	if err := strategy.Validate(); err != nil {
		b.graph.Fail("source %q: %w", topic.Name, err)
	}
	if strategy.Marked() != (topic.Marker != nil) {
		b.graph.Fail("source %q: windowing.Punctuated and a Marker of the topic need each other", topic.Name)
	}
	if topic.Key == nil || topic.Value == nil {
		b.graph.Fail("source %q: the key or the value %w", topic.Name, errNoSerde)
	}
	return addSource(b, topic, graph.Node{
		Name: o.label("source:" + topic.Name), Kind: graph.SourceNode, Topic: topic.Name, Watermarks: strategy,
	})
}

// addSource adds the node that reads a topic.
func addSource[K, V any](b *Builder, topic Topic[K, V], n graph.Node) Stream[K, V] {
	n.Keys = topic.Key
	n.Instantiate = func(env *graph.Env, node *graph.Node, children [][]any) (graph.Instance, error) {
		down, err := port[K, V](node, children, 0)
		if err != nil {
			return graph.Instance{}, err
		}
		key, value, err := topic.codecs()
		return graph.Instance{Source: &source[K, V]{env: env, node: node, topic: topic, key: key, value: value, down: down, decoded: -1}}, err
	}
	return Stream[K, V]{b: b, at: graph.Edge{From: b.graph.Add(n)}, key: topic.Key, lineage: lineage{windows: []any{topic.Key}}}
}

// A source decodes the records of one topic for one task. The record it sends
// down is used again for the next one.
type source[K, V any] struct {
	env     *graph.Env
	node    *graph.Node
	topic   Topic[K, V]
	key     serde.Codec[K]
	value   serde.Codec[V]
	down    graph.Receiver[K, V]
	rec     Record[K, V]
	headers graph.Headers
	decoded int64 // the offset of what rec holds, -1 if of nothing
}

// Time implements graph.Source.
func (s *source[K, V]) Time(m *graph.Message) (windowing.EventTime, error) {
	if s.topic.EventTime == nil {
		return windowing.EventTime(m.Timestamp), nil
	}
	if m.Value == nil {
		return windowing.NoTime, nil // not the timestamp: that is of another clock
	}
	return s.eventTime(m)
}

func (s *source[K, V]) eventTime(m *graph.Message) (at windowing.EventTime, err error) {
	defer s.caught(&err)
	if err := s.decode(m); err != nil {
		return 0, err
	}
	return windowing.At(s.topic.EventTime(&s.rec)), nil
}

// Mark implements graph.Source.
func (s *source[K, V]) Mark(m *graph.Message) (at windowing.EventTime, ok bool, err error) {
	if m.Value == nil {
		return 0, false, nil
	}
	defer s.caught(&err)
	if err := s.decode(m); err != nil {
		return 0, false, err
	}
	told, ok := s.topic.Marker(&s.rec)
	return windowing.At(told), ok, nil
}

// caught makes a panic over the time of a record a failure of that record. It had
// no effects, so it is settled at once. An abort would not help: in the replay
// the record is asked for its time again before anybody sees that it is skipped.
func (s *source[K, V]) caught(err *error) {
	if p := recover(); p != nil {
		s.decoded = -1 // whoever panicked may have changed it
		*err = s.env.Panicked(s.node.Name, p)
	}
}

// Push implements graph.Source.
func (s *source[K, V]) Push(m *graph.Message, at, watermark windowing.EventTime) error {
	if err := s.decode(m); err != nil {
		return err
	}
	s.decoded = -1
	s.rec.Time = at
	graph.MetaOf(&s.rec).Watermark = watermark
	return s.down(&s.rec)
}

func (s *source[K, V]) decode(m *graph.Message) (err error) {
	if s.decoded == m.Offset {
		return nil
	}
	s.decoded = -1
	meta := graph.MetaOf(&s.rec)
	meta.Key, meta.NullKey = m.Key, m.Key == nil
	if meta.NullKey {
		var zero K
		s.rec.Key = zero
	} else if s.rec.Key, err = s.key.Decode(m.Key); err != nil {
		return s.failed(err, "key")
	}
	if s.rec.Value, err = s.value.Decode(m.Value); err != nil {
		return s.failed(err, "value")
	}
	s.rec.Time = windowing.EventTime(m.Timestamp)
	s.rec.Headers = graph.ReuseHeaders(&s.headers, m.Headers)
	s.decoded = m.Offset
	return nil
}

func (s *source[K, V]) failed(err error, part string) error {
	return &graph.RecordError{Operator: s.node.Name, Phase: graph.PhaseDecode, Err: fmt.Errorf("decode %s: %w", part, err)}
}
