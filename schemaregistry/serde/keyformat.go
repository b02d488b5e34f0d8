package serde

import (
	"reflect"
	"strings"
)

// A KeyFormatted serde may read bytes as values that it would not write: JSON reads fields in any order and lacks none.
// Of keys the bytes are the identity, so that a key which is written in another way is another key. Of serdes that are not
// KeyFormatted Format and Reads hold for keys too.
type KeyFormatted interface {
	// KeyFormat names what two versions have to write alike.
	KeyFormat() string
	// ReadsKey reports whether keys that were written in the key format was are the same keys to this serde: those it
	// would write with the same bytes.
	ReadsKey(was string) bool
}

// KeyFormatOf is the name of the format that a serde writes keys in; "" for nil.
func KeyFormatOf[T any](s Serde[T]) string {
	if f, ok := s.(KeyFormatted); ok {
		return f.KeyFormat()
	}
	return FormatOf(s)
}

// ReadsKeyFormat reports whether keys that were written in a format are the same keys to a serde.
func ReadsKeyFormat[T any](s Serde[T], was string) bool {
	if f, ok := s.(KeyFormatted); ok {
		return f.ReadsKey(was)
	}
	return ReadsFormat(s, was)
}

// ReadsInnerKey is ReadsInner for keys.
func ReadsInnerKey[T any](inner Serde[T], prefix, was string) bool {
	rest, ok := strings.CutPrefix(was, prefix)
	return ok && ReadsKeyFormat(inner, rest)
}

const jsonKeyPrefix = "json key "

// KeyFormat implements KeyFormatted: the shape of T with its fields in the order in which they are written, and what leaves
// them out.
func (jsonSerde[T]) KeyFormat() string {
	return jsonKeyPrefix + spelling{depth: shapeDepth, ordered: true}.shape(reflect.TypeFor[T]())
}

// ReadsKey implements KeyFormatted. What was kept before keys had a format of their own is gone by its shape.
func (s jsonSerde[T]) ReadsKey(was string) bool { return was == s.KeyFormat() || was == s.Format() }
