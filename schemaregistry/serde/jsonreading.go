package serde

import (
	"fmt"
	"net/url"
	"reflect"
	"strings"
)

// This is the reading side of shapes: what a type reads is found by following it through the shape of what was written.

// reads reports whether a type reads what was written of a shape. Inside of itself a struct is read if it is read from
// outside, for it is the same struct around the same place on both sides.
func (s spelling) reads(was string, t reflect.Type) bool {
	of, optional := pointed(t)
	if shape, null := strings.CutPrefix(was, optionalMark); null {
		if !optional {
			return false
		}
		was = shape
	}
	return was == s.present(of) || s.readsOther(was, of)
}

// readsOther is reads where the shape is another, and the type no pointer.
func (s spelling) readsOther(was string, t reflect.Type) bool {
	if n, ok := numberOf(t); ok {
		other, ok := numberNamed(was)
		return ok && n.holds(other)
	}
	if leafShape(t) != "" {
		return false
	}
	if s.around(t) > 0 { // versions before wrote its name
		return was == t.String()
	}
	if s.depth == 0 {
		return false
	}
	switch t.Kind() {
	case reflect.Struct:
		return s.inside(t).readsFields(was, t)
	case reflect.Slice:
		return s.readsElements(was, "[", t)
	case reflect.Array:
		return s.readsElements(was, fmt.Sprintf("[%d ", t.Len()), t)
	}
	return s.readsMap(was, t)
}

// readsElements reports whether the elements of a list are read that begins with prefix.
func (s spelling) readsElements(was, prefix string, t reflect.Type) bool {
	rest, begins := strings.CutPrefix(was, prefix)
	elem, ends := strings.CutSuffix(rest, "]")
	return begins && ends && s.deeper().reads(elem, t.Elem())
}

// readsMap reports whether a map is read. Keys that are integers are read like other integers.
func (s spelling) readsMap(was string, t reflect.Type) bool {
	rest, ok := strings.CutPrefix(was, "map[")
	if !ok {
		return false
	}
	if elem, ok := strings.CutPrefix(rest, keyShape(t.Key())+"]"); ok {
		return s.deeper().reads(elem, t.Elem())
	}
	key, elem, _ := strings.Cut(rest, "]")
	n, number := numberOf(t.Key())
	other, ok := numberNamed(key)
	return number && ok && n.holds(other) && s.deeper().reads(elem, t.Elem())
}

// readsFields reports whether the fields of a struct read those that were written: each that both have, and one at
// least. Two that were written may not be one field.
func (s spelling) readsFields(was string, t reflect.Type) bool {
	before, ok := shapeFields(was)
	fields, taken := jsonFields(t), map[int]bool{}
	for name, shape := range before {
		i := findField(fields, name)
		if i < 0 {
			continue
		}
		inner, quoted := strings.CutPrefix(shape, quotedMark)
		if taken[i] || quoted != fields[i].quoted || !s.deeper().reads(inner, fields[i].of) {
			return false
		}
		taken[i] = true
	}
	return ok && len(taken) > 0
}

// shapeFields splits the shape of a struct into its fields; false if it is not one.
func shapeFields(s string) (fields map[string]string, ok bool) {
	if !strings.HasPrefix(s, "{") || !strings.HasSuffix(s, "}") {
		return nil, false
	}
	inner := s[1 : len(s)-1]
	fields = map[string]string{}
	depth, from := 0, 0
	for i := range len(inner) + 1 {
		if i < len(inner) {
			depth += strings.Count("{[", inner[i:i+1]) - strings.Count("}]", inner[i:i+1])
		}
		if i == len(inner) || inner[i] == ',' && depth == 0 {
			name, kind, _ := strings.Cut(strings.TrimSpace(inner[from:i]), " ")
			if name, err := url.PathUnescape(name); err == nil {
				fields[name] = kind
			}
			from = i + 1
		}
	}
	return fields, depth == 0
}
