package serde

import (
	"crypto/sha256"
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// shapeDepth bounds how deep a shape is spelled out.
const shapeDepth = 6

// A spelling writes the shape of a type as JSON sees it, from the outside inwards:
//
//	{name shape, name shape}   a struct, its fields in the order of their names; of keys, in that of their bytes
//	[shape]  [4 shape]         a slice, an array
//	map[key]shape              a map; of the key the kind, or the name of a type that writes itself
//	optional shape             a pointer to what is never null by itself
//	quoted shape               a field that is written inside of a text
//	integer  int32  uint64     an integer of 64 bits with a sign; others
//	number  float32  decimal   a float64, a float32, a json.Number
//	bool string base64 any     what they say
//	^2                         the struct that is spelled out around this place, as the second from inside
//	#8da410b1e916f099          a hash of the shape, where it is deeper than is spelled out
//	time.Time                  a type that marshals itself
//
// What always holds: two types of one shape write and read alike. A shape does not depend on the names of structs, and
// it has an end, though a type may contain itself.
type spelling struct {
	depth   int                  // how many more levels are spelled out
	ordered bool                 // fields are in the order in which they are written, with what leaves them out: of keys
	within  []reflect.Type       // the structs around this place, outermost first
	known   map[reflect.Type]int // inside of a hash: the types that were written, in their order
}

// shape writes a type.
func (s spelling) shape(t reflect.Type) string {
	of, optional := pointed(t)
	if optional {
		return optionalMark + s.present(of)
	}
	return s.present(of)
}

// Marks of what a value is inside of.
const (
	optionalMark = "optional "
	quotedMark   = "quoted "
)

// pointed is what a type is behind its pointers, and reports whether they add null to its values.
func pointed(t reflect.Type) (of reflect.Type, optional bool) {
	for of = t; of.Kind() == reflect.Pointer; {
		of = of.Elem()
	}
	switch of.Kind() {
	case reflect.Slice, reflect.Map, reflect.Interface:
		return of, of != t && marshalsItself(of)
	}
	return of, of != t
}

// present writes a type that is no pointer.
func (s spelling) present(t reflect.Type) string {
	if leaf := leafShape(t); leaf != "" {
		return leaf
	}
	if n := s.around(t); n > 0 {
		return fmt.Sprintf("^%d", n)
	}
	if s.known != nil {
		return s.once(t)
	}
	if s.depth == 0 {
		return s.hash(t)
	}
	return s.parts(t)
}

// around says which of the structs around this place a type is, counted from inside; 0 if it is none.
func (s spelling) around(t reflect.Type) int {
	if i := slices.Index(s.within, t); i >= 0 {
		return len(s.within) - i
	}
	return 0
}

// hash writes a type in a few signs, with everything that it has.
func (s spelling) hash(t reflect.Type) string {
	s.known = map[reflect.Type]int{}
	sum := sha256.Sum256([]byte(s.once(t)))
	return fmt.Sprintf("#%x", sum[:8])
}

// once writes a type, or its number if it was written before: what types contain of one another can be endless, or grow
// with each level. A type without a name contains itself only in one with a name.
func (s spelling) once(t reflect.Type) string {
	if n, ok := s.known[t]; ok {
		return fmt.Sprintf("=%d", n)
	}
	if t.Name() != "" {
		s.known[t] = len(s.known)
	}
	return s.parts(t)
}

// parts writes a type that has parts.
func (s spelling) parts(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Struct:
		return s.inside(t).fields(t)
	case reflect.Slice:
		return "[" + s.deeper().shape(t.Elem()) + "]"
	case reflect.Array:
		return fmt.Sprintf("[%d %s]", t.Len(), s.deeper().shape(t.Elem()))
	}
	return "map[" + keyShape(t.Key()) + "]" + s.deeper().shape(t.Elem())
}

// deeper is the spelling of a part.
func (s spelling) deeper() spelling {
	s.depth = max(s.depth-1, 0)
	return s
}

// inside is the spelling of what is in a struct.
func (s spelling) inside(t reflect.Type) spelling {
	s.within = append(s.within[:len(s.within):len(s.within)], t)
	return s
}

// fields lists the fields of a struct by name, in the order of their names.
func (s spelling) fields(t reflect.Type) string {
	all := jsonFields(t)
	if !s.ordered {
		slices.SortFunc(all, func(a, b jsonField) int { return strings.Compare(escaped(a.name), escaped(b.name)) })
	}
	var written []string
	for _, f := range all {
		mark := ""
		if s.ordered {
			mark = f.omits
		}
		if f.quoted {
			mark += quotedMark
		}
		written = append(written, escaped(f.name)+" "+mark+s.deeper().shape(f.of))
	}
	return "{" + strings.Join(written, ", ") + "}"
}

// escaped is a name without the signs that shapes have between names; a name from a tag may have them.
func escaped(name string) string {
	return strings.NewReplacer("%", "%25", " ", "%20", "[", "%5B", "]", "%5D", "{", "%7B", "}", "%7D").Replace(name)
}

// leafShape is the shape of a type without parts; "" for one with parts.
func leafShape(t reflect.Type) string {
	if n, ok := numberOf(t); ok {
		return n.String()
	}
	if marshalsItself(t) {
		return typeName(t)
	}
	switch t.Kind() {
	case reflect.Struct, reflect.Array, reflect.Map:
		return ""
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Uint8 && !marshalsItself(t.Elem()) {
			return "base64"
		}
		return ""
	case reflect.Interface:
		if t.NumMethod() > 0 { // nothing is read into it
			return typeName(t)
		}
		return "any"
	}
	return t.Kind().String()
}

// keyShape describes the keys of a map. Strings are written as they are, whatever else their type can.
func keyShape(t reflect.Type) string {
	if readsText(t) || t.Kind() != reflect.String && marshalsItself(t) {
		return typeName(t)
	}
	return t.Kind().String()
}
