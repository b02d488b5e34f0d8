// Package serde turns Go values into bytes and back, in two stages: a Serde is bound once, at start, to the
// topic or store it will serve; the Codec that comes out of it does the work, record by record, without locks,
// look-ups or allocation of its own.
//
// The primitive serdes write exactly what Kafka's own serializers write, so that topics can be shared with
// programs in other languages.
package serde

import "fmt"

// Role says which part of a record, or which kind of place, a codec serves. It changes nothing for the serdes
// of this package; serdes that register schemas derive the subject from it.
type Role uint8

const (
	// Key is the key of a record of a topic.
	Key Role = iota
	// Value is the value of a record of a topic.
	Value
	// State is a value kept in a state store and its changelog.
	State
)

// String names the role in lower case, as it appears in error texts.
func (r Role) String() string {
	switch r {
	case Key:
		return "key"
	case Value:
		return "value"
	case State:
		return "state"
	}
	return fmt.Sprintf("role %d", uint8(r))
}

// Use is the place a serde is bound to.
type Use struct {
	// Role is the part of the record, or the kind of place.
	Role Role
	// Name is the topic for Key and Value, the store for State.
	Name string
}

// String is the form used in error texts, for example `value of "orders"`.
func (u Use) String() string {
	return fmt.Sprintf("%s of %q", u.Role, u.Name)
}

// Codec turns values of one type into bytes and back, for one use. A codec belongs to the task that bound it
// and need not be safe for concurrent use.
//
// Null is not a codec's business: the absent key or value of a record never reaches it.
type Codec[T any] interface {
	// Append appends the encoding of v to dst and returns the extended slice, as the built-in append does.
	// Equal values give equal bytes and different values different bytes, or keys and state would go astray.
	// It must not keep dst. On error the content of dst beyond its old length is undefined.
	Append(dst []byte, v T) ([]byte, error)
	// Decode reads the one value that src holds, to its last byte: what is left over is an error. The result
	// must not refer to src, which is overwritten after the call.
	Decode(src []byte) (T, error)
}

// Sizer is a codec that knows how long an encoding is going to be without making it. It is optional: with it, a value
// that is too large for its topic costs nothing.
type Sizer[T any] interface {
	// Size returns how many bytes Append appends for v.
	Size(v T) int
}

// Serde makes codecs. It is immutable, safe for concurrent use and usually a package-level value of the
// application.
type Serde[T any] interface {
	// Bind makes a codec for one use. It is called when a task is built, for each of its uses, and is the place
	// for whatever is slow or can be refused: reading schemas, checking compatibility. The error should name the
	// use and say what to do.
	Bind(use Use) (Codec[T], error)
}

// Of makes a serde of a codec that needs no binding. The one codec is handed to every task, so it must be safe
// for concurrent use, as a codec without fields is.
func Of[T any](c Codec[T]) Serde[T] {
	return unbound[T]{codec: c}
}

type unbound[T any] struct{ codec Codec[T] }

func (u unbound[T]) Bind(use Use) (Codec[T], error) {
	if u.codec == nil {
		return nil, fmt.Errorf("serde: no codec for the %v: serde.Of was given nil; pass a codec", use)
	}
	return u.codec, nil
}
