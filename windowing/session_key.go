package windowing

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/millrace/millrace/schemaregistry/serde"
)

// boundsBytes is what the bounds of a session take in an encoded Key.
const boundsBytes = 16

// SessionKeySerde writes the bytes of the key and, behind them, the session's last and first time in 8 bytes each,
// big-endian, as Kafka Streams' session-windowed serde does. Bind fails if key is nil. Records are partitioned by the
// key alone.
func SessionKeySerde[K any](key serde.Serde[K]) serde.Serde[Key[K]] { return sessionKeySerde[K]{key} }

type sessionKeySerde[K any] struct{ key serde.Serde[K] }

func (s sessionKeySerde[K]) Bind(use serde.Use) (serde.Codec[Key[K]], error) {
	if s.key == nil {
		return nil, fmt.Errorf("windowing: %v: SessionKeySerde was given no serde for the key", use)
	}
	inner, err := s.key.Bind(use)
	if err != nil {
		return nil, err
	}
	return sessionKeyCodec[K]{inner}, nil
}

const sessionKeyPrefix = "bounds of a window behind "

// Format implements serde.Formatted.
func (s sessionKeySerde[K]) Format() string { return sessionKeyPrefix + serde.FormatOf(s.key) }

// Reads implements serde.FormatReader.
func (s sessionKeySerde[K]) Reads(was string) bool {
	return serde.ReadsInner(s.key, sessionKeyPrefix, was)
}

// KeyFormat implements serde.KeyFormatted.
func (s sessionKeySerde[K]) KeyFormat() string { return sessionKeyPrefix + serde.KeyFormatOf(s.key) }

// ReadsKey implements serde.KeyFormatted.
func (s sessionKeySerde[K]) ReadsKey(was string) bool {
	return serde.ReadsInnerKey(s.key, sessionKeyPrefix, was)
}

type sessionKeyCodec[K any] struct{ key serde.Codec[K] }

var (
	errShortSessionKey = errors.New("windowing: the key of a session ends with the 16 bytes of its bounds, this one is shorter: it was written by another serializer")
	errSessionBounds   = errors.New("windowing: the key of a session ends with its last and its first time, and here the last is before the first: it was written by another serializer")
)

func (c sessionKeyCodec[K]) Append(dst []byte, v Key[K]) ([]byte, error) {
	out, err := c.key.Append(dst, v.Key)
	if err != nil {
		return dst, err
	}
	out = binary.BigEndian.AppendUint64(out, uint64(v.Window.End))
	return binary.BigEndian.AppendUint64(out, uint64(v.Window.Start)), nil
}

// PartitionKey returns the part of an encoded Key by which its record is partitioned: the key without the session.
func (c sessionKeyCodec[K]) PartitionKey(encoded []byte) []byte {
	return encoded[:max(len(encoded)-boundsBytes, 0)]
}

func (c sessionKeyCodec[K]) Decode(src []byte) (Key[K], error) {
	at := len(src) - boundsBytes
	if at < 0 {
		return Key[K]{}, errShortSessionKey
	}
	win := Window{
		Start: EventTime(binary.BigEndian.Uint64(src[at+8:])),
		End:   EventTime(binary.BigEndian.Uint64(src[at:])),
	}
	if win.End < win.Start {
		return Key[K]{}, errSessionBounds
	}
	key, err := c.key.Decode(src[:at:at])
	return Key[K]{Key: key, Window: win}, err
}
