package serde

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// jsonPrefix begins the name of every format of JSON.
const jsonPrefix = "json "

// shapeDepth bounds how deep a shape is spelled out: types may contain themselves.
const shapeDepth = 6

// Format implements Formatted: "json" and the shape of T, the names and kinds of its fields. Types that marshal
// themselves are shown by their names.
func (jsonSerde[T]) Format() string {
	return jsonPrefix + shape(reflect.TypeFor[T](), shapeDepth)
}

// Reads implements FormatReader. A struct reads what was written of another struct as long as the fields that both have
// are of the same shape and there is at least one: fields may be added, which are zero in what was written before, and
// left out, which are forgotten.
func (jsonSerde[T]) Reads(was string) bool {
	shape, ok := strings.CutPrefix(was, jsonPrefix)
	if !ok {
		return false
	}
	before, ok := shapeFields(shape)
	if !ok {
		return false
	}
	now, ok := shapeFields(strings.TrimPrefix(jsonSerde[T]{}.Format(), jsonPrefix))
	if !ok {
		return false
	}
	shared := 0
	for name, kind := range before {
		is, both := now[name]
		if both && is != kind {
			return false
		}
		if both {
			shared++
		}
	}
	return shared > 0
}

// shape describes a type as JSON sees it.
func shape(t reflect.Type, depth int) string {
	if t.PkgPath() != "" && marshalsItself(t) || depth == 0 {
		return t.String()
	}
	switch t.Kind() {
	case reflect.Pointer:
		return shape(t.Elem(), depth)
	case reflect.Struct:
		return structShape(t, depth)
	case reflect.Slice, reflect.Array:
		if t.Elem().Kind() == reflect.Uint8 {
			return "base64"
		}
		return "[" + shape(t.Elem(), depth-1) + "]"
	case reflect.Map:
		return "map[" + t.Key().Kind().String() + "]" + shape(t.Elem(), depth-1)
	case reflect.Interface:
		return "any"
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return "integer"
	case reflect.Float32, reflect.Float64:
		return "number"
	}
	return t.Kind().String()
}

func marshalsItself(t reflect.Type) bool {
	for _, name := range []string{"MarshalJSON", "MarshalText", "UnmarshalJSON", "UnmarshalText"} {
		if _, ok := reflect.PointerTo(t).MethodByName(name); ok {
			return true
		}
	}
	return false
}

// structShape lists the fields by name, in the order of their names.
func structShape(t reflect.Type, depth int) string {
	var fields []string
	for _, f := range reflect.VisibleFields(t) {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if !f.IsExported() || name == "-" || f.Anonymous && name == "" {
			continue
		}
		if name == "" {
			name = f.Name
		}
		fields = append(fields, fmt.Sprintf("%s %s", name, shape(f.Type, depth-1)))
	}
	slices.Sort(fields)
	return "{" + strings.Join(fields, ", ") + "}"
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
			fields[name] = kind
			from = i + 1
		}
	}
	return fields, true
}
