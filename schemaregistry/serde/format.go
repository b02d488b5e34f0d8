package serde

import (
	"reflect"
	"strings"
)

// A Formatted serde names the format of its bytes. State that was written in a format is read only by serdes of that
// format: the name is kept with it. A serde that is not Formatted goes by the name of its Go type, so renaming that type
// is another format until the new one says Format and Reads.
type Formatted interface {
	// Format names the format, the same from version to version as long as the bytes mean the same: "visit/2".
	Format() string
}

// A FormatReader also reads bytes that were written in other formats, with the same meaning: earlier versions of its
// own.
type FormatReader interface {
	Formatted
	// Reads reports whether Decode takes bytes that were written in the format was.
	Reads(was string) bool
}

// FormatOf is the name of the format that a serde writes; "" for nil.
func FormatOf[T any](s Serde[T]) string {
	if s == nil {
		return ""
	}
	if f, ok := s.(Formatted); ok {
		return f.Format()
	}
	return typeName(reflect.TypeOf(s))
}

// typeName is the name of a type with the path of its package: types of one short name may write different bytes.
func typeName(t reflect.Type) string {
	if t.Kind() == reflect.Pointer && t.Name() == "" {
		return "*" + typeName(t.Elem())
	}
	if t.Name() == "" || t.PkgPath() == "" {
		return t.String()
	}
	return t.PkgPath() + "." + t.Name()
}

// ReadsFormat reports whether a serde reads what was written in a format: its own, or one that it says it reads.
func ReadsFormat[T any](s Serde[T], was string) bool {
	if r, ok := s.(FormatReader); ok && r.Reads(was) {
		return true
	}
	return FormatOf(s) == was
}

// ReadsInner reports whether a serde that wraps another reads what was written in a format. The format of a wrapper is a
// prefix of its own and behind it that of the inner serde, so what counts is whether the inner one reads the rest.
func ReadsInner[T any](inner Serde[T], prefix, was string) bool {
	rest, ok := strings.CutPrefix(was, prefix)
	return ok && ReadsFormat(inner, rest)
}

// Format implements Formatted: that of the codec, if it names one.
func (u unbound[T]) Format() string {
	if f, ok := u.codec.(Formatted); ok {
		return f.Format()
	}
	if u.codec == nil {
		return "no codec" // Bind refuses it
	}
	return typeName(reflect.TypeOf(u.codec))
}

// Reads implements FormatReader.
func (u unbound[T]) Reads(was string) bool {
	r, ok := u.codec.(FormatReader)
	return ok && r.Reads(was)
}

// Format implements Formatted.
func (stringCodec) Format() string { return "string" }

// Format implements Formatted.
func (bytesCodec) Format() string { return "bytes" }

// Format implements Formatted.
func (int64Codec) Format() string { return "int64" }

// Format implements Formatted.
func (float64Codec) Format() string { return "float64" }
