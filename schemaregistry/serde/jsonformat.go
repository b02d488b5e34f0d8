package serde

import (
	"reflect"
	"strings"
)

// jsonPrefix begins the name of every format of JSON.
const jsonPrefix = "json "

// Format implements Formatted: "json" and the shape of T, the names and kinds of its fields and the sizes of its numbers.
// Types that marshal themselves are shown by their names.
func (jsonSerde[T]) Format() string { return jsonFormat(reflect.TypeFor[T]()) }

// Reads implements FormatReader. A number is read as another that holds all of its values: an int32 as an int64, a uint8
// as an int16, a float32 as a float64. What may be null is read as what may be null; what may not, as either. A struct
// reads what was written of another as long as it reads the fields that both have and there is at least one: fields may
// be added, which are zero in what was written before, and left out, which are forgotten. A field is what decoding takes
// for it, also if its name differs in case. All of this holds inside of structs, lists and maps too.
func (jsonSerde[T]) Reads(was string) bool { return readsJSON(reflect.TypeFor[T](), was) }

// jsonFormat is the format of a type.
func jsonFormat(t reflect.Type) string {
	return jsonPrefix + spelling{depth: shapeDepth}.shape(t)
}

// readsJSON reports whether a type reads what was written in a format, its own among them.
func readsJSON(t reflect.Type, was string) bool {
	shape, ok := strings.CutPrefix(was, jsonPrefix)
	return ok && spelling{depth: shapeDepth}.reads(shape, t)
}
