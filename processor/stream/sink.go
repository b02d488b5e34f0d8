package stream

import (
	"fmt"

	"github.com/millrace/millrace/processor/internal/graph"
	"github.com/millrace/millrace/schemaregistry/serde"
)

// To writes the stream to a topic, in the transaction that also commits its
// inputs. The partition is the one the Java client would choose for the key,
// for a windowed one that of the key without its window, as with Kafka Streams;
// records without a key take turns. The record's time becomes its Kafka
// timestamp, its headers go with it.
//
// Where the topic has no serde for its keys, they are written with the serde
// they have in the stream: for windowed results that of
// windowing.ResultKeySerde. After a change of the key there is none.
// Build refuses a windowing.KeySerde or SessionKeySerde that does not fit the
// windows the keys are of, as far as it knows them.
//
// What the topic would refuse is not sent:
//
//   - a record that is too large for it (max.message.bytes);
//   - one whose time is outside of its bounds
//     (message.timestamp.after.max.ms, by default 1 h from Kafka 4 on, and
//     before.max.ms);
//   - one without a key where the topic is compacted.
//
// That is a failure of the record it comes of, counted as refused, and the error
// policy says what becomes of it. A result that comes of no record, as when a
// window closes, is counted at the sink, and is skipped or sent to the
// dead-letter topic itself.
func To[K, V any](s Stream[K, V], topic Topic[K, V], opts ...Option) {
	if topic.Key == nil {
		topic.Key = s.key
	}
	s.fits(fmt.Sprintf("sink %q", topic.Name), topic.Key)
	if topic.Key == nil || topic.Value == nil {
		s.b.graph.Fail("sink %q: the key or the value %w", topic.Name, errNoSerde)
	}
	o := collect(opts).only(s.b, "sink:"+topic.Name, "Name", "Completeness", "ClampTime")
	node := graph.Node{
		Name: o.label("sink:" + topic.Name), Kind: graph.SinkNode, Topic: topic.Name, Keys: topic.Key, Clamped: o.clamp,
		Instantiate: func(env *graph.Env, node *graph.Node, _ [][]any) (graph.Instance, error) {
			k, err := newSink(env, node, topic)
			if err != nil {
				return graph.Instance{}, err
			}
			inst := graph.Instance{Receive: graph.One(k.receive), Undoable: k}
			if node.Completeness != "" {
				inst.Teller, err = newCompleteness(env, node)
			}
			return inst, err
		},
	}
	if o.completeness {
		node.Completeness = topic.Name + completenessSuffix
	}
	s.b.graph.Add(node, s.at)
}

// ClampTime has To bring the Kafka timestamps of what it writes into the bounds
// that the topic takes, where they lie outside: a minute inside of them, for the
// clocks of the brokers are others. What is in the record stays. Without it a
// result whose time its topic would refuse goes to the error policy.
func ClampTime() Option { return func(o *options) { o.clamp = true } }

func newSink[K, V any](env *graph.Env, node *graph.Node, topic Topic[K, V]) (*sink[K, V], error) {
	key, value, err := topic.codecs()
	if err != nil {
		return nil, err
	}
	partitions, known := env.Partitions[node.Topic]
	if !known || partitions <= 0 {
		return nil, fmt.Errorf("sink topic %q: the number of partitions is unknown", node.Topic)
	}
	k := &sink[K, V]{env: env, node: node, key: key, value: value, partitions: partitions, limits: env.LimitsOf(node.Topic)}
	k.part, _ = key.(partKey)
	k.sizer, _ = value.(serde.Sizer[V])
	return k, nil
}

// A partKey is a codec whose keys are partitioned by a part of their bytes, as
// windowed keys are.
type partKey interface{ PartitionKey(encoded []byte) []byte }

// A sink encodes records into the task's outbox.
type sink[K, V any] struct {
	env        *graph.Env
	node       *graph.Node
	key        serde.Codec[K]
	value      serde.Codec[V]
	part       partKey        // nil: records are partitioned by the whole key
	sizer      serde.Sizer[V] // of values; nil if nothing tells
	partitions int32
	limits     *graph.Limits
	turn       int32 // of records without a key
	before     int32 // turn at the savepoint
}

func (k *sink[K, V]) receive(r *Record[K, V]) error {
	k.env.Touch(k.node)
	out, err := k.encode(r)
	if err != nil {
		return err
	}
	if taken, err := k.taken(&out); !taken {
		return err
	}
	k.send(&out)
	return nil
}

// taken reports whether the topic takes out. What fails is counted at its source,
// and only there.
func (k *sink[K, V]) taken(out *graph.Out) (bool, error) {
	if k.node.Clamped {
		out.Timestamp = k.limits.Clamp(out.Timestamp, k.env.Wall)
	}
	if !k.limits.Takes(out, k.env.Wall) {
		if out.Key == nil {
			k.turn = (k.turn + k.partitions - 1) % k.partitions // it was not taken
		}
		return false, k.env.Refuse(k.node, *out, k.limits.Why(out, k.env.Wall))
	}
	return true, nil
}

// send sends out and counts it.
func (k *sink[K, V]) send(out *graph.Out) {
	c := k.env.CountersOf(k.node)
	c.In++
	c.Processed++
	k.env.Outbox.Send(*out)
}

// Mark implements graph.Undoable.
func (k *sink[K, V]) Mark() { k.before = k.turn }

// Undo implements graph.Undoable: the next record without a key goes where it
// would have gone.
func (k *sink[K, V]) Undo() { k.turn = k.before }

// Keep implements graph.Undoable.
func (k *sink[K, V]) Keep() {}

// encode makes what is to be sent of a record.
func (k *sink[K, V]) encode(r *Record[K, V]) (out graph.Out, err error) {
	out = graph.Out{Topic: k.node.Topic, Timestamp: int64(r.Time), Headers: r.Headers.All()}
	if !graph.MetaOf(r).NullKey {
		if out.Key, err = graph.Append(k.env.Outbox, k.key, r.Key); err != nil {
			return out, failed(k.node, fmt.Errorf("encode key: %w", err))
		}
	}
	if gone(r) { // null
	} else if k.tooLong(r) {
		return out, k.env.Refuse(k.node, out, k.limits.TooLong(out.Topic, k.sizer.Size(r.Value)))
	} else if out.Value, err = graph.Append(k.env.Outbox, k.value, r.Value); err != nil {
		return out, failed(k.node, fmt.Errorf("encode value: %w", err))
	}
	out.Partition = k.partition(out.Key)
	return out, nil
}

// tooLong reports whether a value needs not be encoded to see that its topic does
// not take it, for nobody is going to see its bytes: the record it comes of fails.
func (k *sink[K, V]) tooLong(r *Record[K, V]) bool {
	return k.sizer != nil && k.sizer.Size(r.Value) > k.limits.MaxBytes && k.env.Blames()
}

func (k *sink[K, V]) partition(key []byte) int32 {
	if key == nil {
		k.turn = (k.turn + 1) % k.partitions
		return k.turn
	}
	if k.part != nil {
		key = k.part.PartitionKey(key)
	}
	return k.env.Partition(key, k.partitions)
}
