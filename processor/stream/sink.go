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
func To[K, V any](s Stream[K, V], topic Topic[K, V], opts ...Option) {
	if topic.Key == nil {
		topic.Key = s.key
	}
	s.fits(fmt.Sprintf("sink %q", topic.Name), topic.Key)
	if topic.Key == nil || topic.Value == nil {
		s.b.graph.Fail("sink %q: the key or the value %w", topic.Name, errNoSerde)
	}
	o := collect(opts).only(s.b, "sink:"+topic.Name, "Name", "Completeness")
	node := graph.Node{
		Name: o.label("sink:" + topic.Name), Kind: graph.SinkNode, Topic: topic.Name, Keys: topic.Key,
		Instantiate: func(env *graph.Env, node *graph.Node, _ [][]any) (graph.Instance, error) {
			k, err := newSink(env, node, topic)
			if err != nil {
				return graph.Instance{}, err
			}
			inst := graph.Instance{Receive: graph.Receiver[K, V](k.receive)}
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

func newSink[K, V any](env *graph.Env, node *graph.Node, topic Topic[K, V]) (*sink[K, V], error) {
	key, value, err := topic.codecs()
	if err != nil {
		return nil, err
	}
	partitions, known := env.Partitions[node.Topic]
	if !known || partitions <= 0 {
		return nil, fmt.Errorf("sink topic %q: the number of partitions is unknown", node.Topic)
	}
	k := &sink[K, V]{env: env, node: node, key: key, value: value, partitions: partitions}
	k.part, _ = key.(partKey)
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
	part       partKey // nil: records are partitioned by the whole key
	partitions int32
	turn       int32 // of records without a key
}

func (k *sink[K, V]) receive(r *Record[K, V]) error {
	out, err := k.encode(r)
	if err == nil {
		k.env.Outbox.Send(out)
	}
	return err
}

// encode makes what is to be sent of a record, and counts it if that can be: one
// that fails is counted at its source, and only there.
func (k *sink[K, V]) encode(r *Record[K, V]) (out graph.Out, err error) {
	out = graph.Out{Topic: k.node.Topic, Timestamp: int64(r.Time), Headers: r.Headers.All()}
	if !graph.MetaOf(r).NullKey {
		if out.Key, err = graph.Append(k.env.Outbox, k.key, r.Key); err != nil {
			return out, failed(k.node, fmt.Errorf("encode key: %w", err))
		}
	}
	if gone(r) { // null
	} else if out.Value, err = graph.Append(k.env.Outbox, k.value, r.Value); err != nil {
		return out, failed(k.node, fmt.Errorf("encode value: %w", err))
	}
	out.Partition = k.partition(out.Key)
	c := &k.env.Counters[k.node.ID]
	c.In++
	c.Processed++
	return out, nil
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
