package stream

import (
	"github.com/millrace/millrace/processor/internal/graph"
	"github.com/millrace/millrace/schemaregistry/serde"
)

// Grouped is a stream whose records of one key are all in one partition, so
// that they can be aggregated. Of the records that reach an aggregate those
// without a key are dropped and counted as NullKey.
type Grouped[K, V any] struct {
	s Stream[K, V]
}

// GroupByKey groups a stream by the key it has. It never writes a topic: a
// stream whose key was changed is no longer partitioned by it, and is refused
// by Build: group it with GroupBy, or send it through Repartition first. Build
// also refuses results that are not final (see EachUpdate).
func GroupByKey[K, V any](s Stream[K, V]) Grouped[K, V] {
	if s.key == nil && s.rekeyed != "" {
		s.b.graph.Fail("GroupByKey: %s, so records of one key may be in several partitions; "+
			"keep the key (MapValues), use GroupBy, or Repartition before", s.rekeyed)
	}
	return Grouped[K, V]{s.final("GroupByKey")}
}

// A keyer finds the encoded key of a record: the bytes it came with, or the
// key encoded anew. The bytes are valid until the next call.
type keyer[K any] struct {
	codec serde.Codec[K]
	buf   []byte
}

func newKeyer[K any](key serde.Serde[K], store string) (*keyer[K], error) {
	codec, err := key.Bind(serde.Use{Role: serde.Key, Name: store})
	return &keyer[K]{codec: codec}, err
}

func (k *keyer[K]) bytes(meta *graph.Meta, key K) ([]byte, error) {
	if meta.Key != nil {
		return meta.Key, nil
	}
	b, err := k.codec.Append(k.buf[:0], key)
	if err != nil {
		return nil, err
	}
	k.buf = b
	return b, nil
}
