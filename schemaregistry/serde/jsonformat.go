package serde

import (
	"encoding/json"
	"fmt"
	"net/url"
	"reflect"
	"slices"
	"strings"
)

// jsonPrefix begins the name of every format of JSON.
const jsonPrefix = "json "

// shapeDepth bounds how deep a shape is spelled out.
const shapeDepth = 6

// A spelling is what of a shape is being spelled out: structs that are named, outermost first. Inside of itself a struct is
// its name, or the shape of one that has many such fields would have no end.
type spelling []reflect.Type

// Format implements Formatted: "json" and the shape of T, the names and kinds of its fields. Types that marshal
// themselves are shown by their names.
func (jsonSerde[T]) Format() string {
	return jsonPrefix + spelling{}.shape(reflect.TypeFor[T](), shapeDepth)
}

// Reads implements FormatReader. A struct reads what was written of another struct as long as the fields that both have
// are of the same shape and there is at least one: fields may be added, which are zero in what was written before, and
// left out, which are forgotten. A field is what decoding takes for it, also if its name differs in case.
func (jsonSerde[T]) Reads(was string) bool {
	written, ok := strings.CutPrefix(was, jsonPrefix)
	if !ok {
		return false
	}
	before, ok := shapeFields(written)
	t := transparent(reflect.TypeFor[T]())
	if !ok || t.Kind() != reflect.Struct || marshalsItself(t) {
		return false
	}
	fields, taken, within := jsonFields(t), map[int]bool{}, spelling{t}
	for name, kind := range before {
		i := findField(fields, name)
		if i < 0 {
			continue
		}
		if taken[i] || kind != within.field(fields[i], shapeDepth) {
			return false
		}
		taken[i] = true
	}
	return len(taken) > 0
}

// shape describes a type as JSON sees it.
func (s spelling) shape(t reflect.Type, depth int) string {
	if t == reflect.TypeFor[json.Number]() {
		return "number"
	}
	if marshalsItself(t) || depth == 0 || slices.Contains(s, t) {
		return t.String()
	}
	switch t.Kind() {
	case reflect.Pointer:
		return s.shape(t.Elem(), depth)
	case reflect.Struct:
		return append(s[:len(s):len(s)], t).fields(t, depth)
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Uint8 && !marshalsItself(t.Elem()) {
			return "base64"
		}
		return "[" + s.shape(t.Elem(), depth-1) + "]"
	case reflect.Array:
		return fmt.Sprintf("[%d %s]", t.Len(), s.shape(t.Elem(), depth-1))
	case reflect.Map:
		return "map[" + keyShape(t.Key()) + "]" + s.shape(t.Elem(), depth-1)
	case reflect.Interface:
		return "any"
	case reflect.Float32, reflect.Float64:
		return "number"
	}
	if integral(t.Kind()) {
		return "integer"
	}
	return t.Kind().String()
}

// keyShape describes the keys of a map. Strings are written as they are, whatever else their type can.
func keyShape(t reflect.Type) string {
	if readsText(t) || t.Kind() != reflect.String && marshalsItself(t) {
		return t.String()
	}
	return t.Kind().String()
}

// fields lists the fields of a struct by name, in the order of their names.
func (s spelling) fields(t reflect.Type, depth int) string {
	var fields []string
	for _, f := range jsonFields(t) {
		fields = append(fields, escaped(f.name)+" "+s.field(f, depth))
	}
	slices.Sort(fields)
	return "{" + strings.Join(fields, ", ") + "}"
}

// escaped is a name without the signs that shapes have between names; a name from a tag may have them.
func escaped(name string) string {
	return strings.NewReplacer("%", "%25", " ", "%20", "[", "%5B", "]", "%5D", "{", "%7B", "}", "%7D").Replace(name)
}

// field describes a field of a struct that is described to a depth.
func (s spelling) field(f jsonField, depth int) string {
	if f.quoted {
		return "quoted " + s.shape(f.of, depth-1)
	}
	return s.shape(f.of, depth-1)
}

// shapeFields splits the shape of a struct into its fields.
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
	return fields, true
}
