package serde

import (
	"encoding/json"
	"fmt"
)

// JSON is the serde of T as one JSON text, by the rules of encoding/json.
func JSON[T any]() Serde[T] {
	return Of[T](jsonCodec[T]{})
}

type jsonCodec[T any] struct{}

func (jsonCodec[T]) Append(dst []byte, v T) ([]byte, error) {
	text, err := json.Marshal(v)
	if err != nil {
		return dst, fmt.Errorf("serde: encode %T as JSON: %w", v, err)
	}
	return append(dst, text...), nil
}

func (jsonCodec[T]) Decode(src []byte) (T, error) {
	var v T
	if err := json.Unmarshal(src, &v); err != nil {
		return v, fmt.Errorf("serde: decode JSON as %T: %w", v, err)
	}
	return v, nil
}
