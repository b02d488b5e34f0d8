package serde

import (
	"encoding/binary"
	"fmt"
	"math"
)

// The primitive serdes. They hold nothing and are safe for concurrent use.
var (
	// String writes the bytes of the string as they are, as Kafka's StringSerializer does for UTF-8. Bytes that are
	// not UTF-8 survive the round trip unchanged.
	String Serde[string] = Of[string](stringCodec{})
	// Bytes writes the bytes themselves, as Kafka's ByteArraySerializer does. Decode copies; the result is never nil.
	Bytes Serde[[]byte] = Of[[]byte](bytesCodec{})
	// Int64 writes 8 bytes, big-endian two's complement, as Kafka's LongSerializer does.
	Int64 Serde[int64] = Of[int64](int64Codec{})
	// Float64 writes the 8 bytes of IEEE 754, big-endian, as Kafka's DoubleSerializer does. Every bit pattern,
	// NaN payloads included, survives.
	Float64 Serde[float64] = Of[float64](float64Codec{})
)

type stringCodec struct{}

func (stringCodec) Size(v string) int                           { return len(v) }
func (stringCodec) Append(dst []byte, v string) ([]byte, error) { return append(dst, v...), nil }
func (stringCodec) Decode(src []byte) (string, error)           { return string(src), nil }

type bytesCodec struct{}

func (bytesCodec) Size(v []byte) int { return len(v) }

func (bytesCodec) Append(dst []byte, v []byte) ([]byte, error) { return append(dst, v...), nil }

func (bytesCodec) Decode(src []byte) ([]byte, error) {
	return append(make([]byte, 0, len(src)), src...), nil
}

type int64Codec struct{}

func (int64Codec) Append(dst []byte, v int64) ([]byte, error) {
	return binary.BigEndian.AppendUint64(dst, uint64(v)), nil
}

func (int64Codec) Decode(src []byte) (int64, error) {
	if len(src) != 8 {
		return 0, fmt.Errorf("serde: an int64 is 8 bytes, got %d: the data was written by another serializer", len(src))
	}
	return int64(binary.BigEndian.Uint64(src)), nil
}

type float64Codec struct{}

func (float64Codec) Append(dst []byte, v float64) ([]byte, error) {
	return binary.BigEndian.AppendUint64(dst, math.Float64bits(v)), nil
}

func (float64Codec) Decode(src []byte) (float64, error) {
	if len(src) != 8 {
		return 0, fmt.Errorf("serde: a float64 is 8 bytes, got %d: the data was written by another serializer", len(src))
	}
	return math.Float64frombits(binary.BigEndian.Uint64(src)), nil
}
