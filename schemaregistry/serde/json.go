package serde

import (
	"encoding/json"
	"fmt"
	"reflect"
)

// JSON is the serde of T as one JSON text. It writes what json.Marshal writes and reads by the rules of
// encoding/json, except that it refuses, with an error, what that package lets pass by losing data: a name that
// occurs twice in one object, two names of one field, two ways to write one key of a map ("1" and "01"), more elements
// than an array has, text that is not UTF-8, half a surrogate pair, nesting deeper than [MaxDepth], and a whole text
// that is null where T has no null (unless T unmarshals itself).
//
// What stays as in encoding/json: {"A":1} sets the field "a" if there is no "A"; names without a field are passed over,
// so that writers may add some; null for a field that has no null leaves it as if it were not there; numbers are read
// into any as float64, which rounds integers beyond 2^53; a number beyond the range of its field, and anything behind
// the text, is an error. What a type that unmarshals itself does with its part is its own business.
func JSON[T any]() Serde[T] {
	return jsonSerde[T]{}
}

type jsonSerde[T any] struct{}

func (jsonSerde[T]) Bind(Use) (Codec[T], error) {
	c := &jsonCodec[T]{nullable: nullable(reflect.TypeFor[T]()), layout: newLayout(reflect.TypeFor[T]())}
	c.encoder = json.NewEncoder(&c.out)
	return c, nil
}

// nullable reports whether null is a value of the type, or the type's own business.
func nullable(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Pointer, reflect.Interface, reflect.Map, reflect.Slice:
		return true
	}
	return reflect.PointerTo(t).Implements(reflect.TypeFor[json.Unmarshaler]())
}

// jsonCodec keeps its encoder and the scratch of its checker from record to record.
type jsonCodec[T any] struct {
	out      appender
	encoder  *json.Encoder
	check    jsonChecker
	nullable bool
	layout   *jsonLayout
}

func (c *jsonCodec[T]) Append(dst []byte, v T) ([]byte, error) {
	c.out.dst = dst
	err := c.encoder.Encode(v)
	out := c.out.dst
	c.out.dst = nil
	if err != nil {
		return dst, fmt.Errorf("serde: encode %T as JSON: %w", v, err)
	}
	return out[:len(out)-1], nil // Encode ends each text with a line feed
}

func (c *jsonCodec[T]) Decode(src []byte) (T, error) {
	var v, zero T
	if err := c.check.check(src); err != nil {
		return zero, fmt.Errorf("serde: decode JSON as %T: %w", zero, err)
	}
	if err := json.Unmarshal(src, &v); err != nil {
		return zero, fmt.Errorf("serde: decode JSON as %T: %w", zero, err)
	}
	if c.check.null && !c.nullable {
		return zero, fmt.Errorf("serde: decode JSON as %T: null is no value of this type; decode to a pointer to allow it", zero)
	}
	if c.layout.wants&(c.check.seen|reasonAlways) != 0 {
		if err := checkPlaces(src, c.layout, c.check.seen); err != nil {
			return zero, fmt.Errorf("serde: decode JSON as %T: %w", zero, err)
		}
	}
	return v, nil
}

// appender is an io.Writer over the append function.
type appender struct{ dst []byte }

func (a *appender) Write(p []byte) (int, error) {
	a.dst = append(a.dst, p...)
	return len(p), nil
}
