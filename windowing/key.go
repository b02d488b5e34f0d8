package windowing

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/millrace/millrace/schemaregistry/serde"
)

// Key is the key of a windowed result: the key of its records, and the window. It is what Kafka Streams calls Windowed;
// stream.Windowed is something else: all that a windowed aggregate gives.
type Key[K any] struct {
	Key    K
	Window Window
}

// startBytes is what a window start takes in an encoded Key.
const startBytes = 8

// KeySerde writes the bytes of the key and, behind them, the window's start in 8 bytes, big-endian, as Kafka Streams'
// time-windowed serde does. The end is not written: Decode sets it from size, which must be that of the windows. Bind
// fails if key is nil or size is not positive whole milliseconds. Records are partitioned by the key alone.
func KeySerde[K any](key serde.Serde[K], size time.Duration) serde.Serde[Key[K]] {
	return keySerde[K]{key: key, size: size}
}

type keySerde[K any] struct {
	key  serde.Serde[K]
	size time.Duration
}

func (s keySerde[K]) Bind(use serde.Use) (serde.Codec[Key[K]], error) {
	if s.key == nil {
		return nil, fmt.Errorf("windowing: %v: KeySerde was given no serde for the key", use)
	}
	if s.size <= 0 || !wholeMillis(s.size) {
		return nil, fmt.Errorf("windowing: %v: the window size must be positive whole milliseconds, got %v", use, s.size)
	}
	inner, err := s.key.Bind(use)
	if err != nil {
		return nil, err
	}
	return keyCodec[K]{key: inner, windows: Tumbling(s.size)}, nil
}

// Format implements serde.Formatted. The size belongs to it, for it is not in the bytes: with another one they are the
// keys of other windows.
func (s keySerde[K]) Format() string { return s.prefix() + serde.FormatOf(s.key) }

// Reads implements serde.FormatReader.
func (s keySerde[K]) Reads(was string) bool { return serde.ReadsInner(s.key, s.prefix(), was) }

// KeyFormat implements serde.KeyFormatted.
func (s keySerde[K]) KeyFormat() string { return s.prefix() + serde.KeyFormatOf(s.key) }

// ReadsKey implements serde.KeyFormatted.
func (s keySerde[K]) ReadsKey(was string) bool { return serde.ReadsInnerKey(s.key, s.prefix(), was) }

func (s keySerde[K]) prefix() string { return fmt.Sprintf("start of a window of %v behind ", s.size) }

type keyCodec[K any] struct {
	key     serde.Codec[K]
	windows Windows
}

var errShortKey = errors.New("windowing: a windowed key ends with the 8 bytes of its window's start, this one is shorter: it was written by another serializer")

func (c keyCodec[K]) Append(dst []byte, v Key[K]) ([]byte, error) {
	out, err := c.key.Append(dst, v.Key)
	if err != nil {
		return dst, err
	}
	return binary.BigEndian.AppendUint64(out, uint64(v.Window.Start)), nil
}

// PartitionKey returns the part of an encoded Key by which its record is partitioned: the key without the window, so
// that the results of a key are in the partition its records came from, as with Kafka Streams.
func (c keyCodec[K]) PartitionKey(encoded []byte) []byte {
	return encoded[:max(len(encoded)-startBytes, 0)]
}

func (c keyCodec[K]) Decode(src []byte) (Key[K], error) {
	at := len(src) - startBytes
	if at < 0 {
		return Key[K]{}, errShortKey
	}
	key, err := c.key.Decode(src[:at:at])
	if err != nil {
		return Key[K]{}, err
	}
	start := EventTime(binary.BigEndian.Uint64(src[at:]))
	return Key[K]{Key: key, Window: c.windows.starting(start)}, nil
}
