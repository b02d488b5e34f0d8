package state

import (
	"encoding/binary"
	"fmt"

	"github.com/millrace/millrace/schemaregistry/serde"
)

// Timestamped is a value with the event time, in ms, of the latest of its inputs.
type Timestamped[V any] struct {
	// Time is the event time in ms since the epoch.
	Time int64
	// Value is the value itself.
	Value V
}

// TimestampedSerde writes the time, 8 bytes big-endian, and the value behind it, as Kafka Streams' ValueAndTimestamp.
func TimestampedSerde[V any](value serde.Serde[V]) serde.Serde[Timestamped[V]] {
	return timestampedSerde[V]{value}
}

type timestampedSerde[V any] struct{ value serde.Serde[V] }

func (s timestampedSerde[V]) Bind(use serde.Use) (serde.Codec[Timestamped[V]], error) {
	if s.value == nil {
		return nil, fmt.Errorf("state: %v: TimestampedSerde was given no serde", use)
	}
	c, err := s.value.Bind(use)
	if sizer, ok := c.(serde.Sizer[V]); ok {
		return timestampedSizer[V]{timestampedCodec[V]{c}, sizer}, err
	}
	return timestampedCodec[V]{c}, err
}

// Format implements serde.Formatted.
func (s timestampedSerde[V]) Format() string { return timestampedPrefix + serde.FormatOf(s.value) }

// Reads implements serde.FormatReader.
func (s timestampedSerde[V]) Reads(was string) bool {
	return serde.ReadsInner(s.value, timestampedPrefix, was)
}

const timestampedPrefix = "time and "

type timestampedCodec[V any] struct{ value serde.Codec[V] }

func (c timestampedCodec[V]) Append(dst []byte, v Timestamped[V]) ([]byte, error) {
	return c.value.Append(binary.BigEndian.AppendUint64(dst, uint64(v.Time)), v.Value)
}

func (c timestampedCodec[V]) Decode(src []byte) (Timestamped[V], error) {
	if len(src) < 8 {
		return Timestamped[V]{}, fmt.Errorf("a timestamped value has at least 8 bytes, this one %d", len(src))
	}
	v, err := c.value.Decode(src[8:])
	return Timestamped[V]{Time: int64(binary.BigEndian.Uint64(src)), Value: v}, err
}

// timestampedSizer is the codec where that of the value is a serde.Sizer.
type timestampedSizer[V any] struct {
	timestampedCodec[V]
	sizer serde.Sizer[V]
}

// Size implements serde.Sizer.
func (c timestampedSizer[V]) Size(v Timestamped[V]) int { return 8 + c.sizer.Size(v.Value) }
