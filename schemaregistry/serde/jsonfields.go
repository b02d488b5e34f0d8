package serde

import (
	"cmp"
	"encoding"
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"unicode"
)

// A jsonField is a field of a struct as encoding/json sees it: its own, or one of a struct embedded in it. What a text
// may have in a place and what the format of a type is both go by this list, so they agree with what is read and written.
type jsonField struct {
	name   string
	of     reflect.Type
	quoted bool   // written inside a text, by the option "string"
	omits  string // the options that leave it out, each with a space after it

	tagged bool  // the name is of a tag
	index  []int // the way there, through embedded structs
}

// jsonFields lists the fields of a struct in the order in which encoding/json looks for one whose name differs in case
// alone. Of fields of one name the one that is embedded least deep counts, and there one with a tag; where that leaves
// two, none of them does.
func jsonFields(t reflect.Type) []jsonField {
	fields := reachable(t)
	slices.SortFunc(fields, func(a, b jsonField) int {
		return cmp.Or(strings.Compare(a.name, b.name), compareRank(a, b), slices.Compare(a.index, b.index))
	})
	var counting []jsonField
	for from := 0; from < len(fields); {
		to := from + 1
		for to < len(fields) && fields[to].name == fields[from].name {
			to++
		}
		if to == from+1 || compareRank(fields[from], fields[from+1]) != 0 {
			counting = append(counting, fields[from])
		}
		from = to
	}
	slices.SortFunc(counting, func(a, b jsonField) int { return slices.Compare(a.index, b.index) })
	return counting
}

// compareRank orders fields of one name: negative if a hides b, 0 if they hide one another.
func compareRank(a, b jsonField) int {
	if a.tagged != b.tagged && len(a.index) == len(b.index) {
		if a.tagged {
			return -1
		}
		return 1
	}
	return cmp.Compare(len(a.index), len(b.index))
}

// embedded is a struct whose fields count as those of another.
type embedded struct {
	of    reflect.Type
	index []int
	times int // how often it is embedded that deep
}

// reachable lists the fields of a struct and of those embedded in it, each struct where it is least deep.
func reachable(t reflect.Type) (fields []jsonField) {
	visited := map[reflect.Type]bool{t: true}
	for level := []embedded{{of: t, times: 1}}; len(level) > 0; {
		var next []embedded
		for _, in := range level {
			for i := range in.of.NumField() {
				f, inner := seenField(in.of.Field(i), append(in.index[:len(in.index):len(in.index)], i))
				if inner == nil && f.of != nil {
					fields = append(fields, slices.Repeat([]jsonField{f}, min(in.times, 2))...)
				}
				if inner != nil && !visited[inner] {
					next = embed(next, inner, f.index)
				}
			}
		}
		for _, in := range next {
			visited[in.of] = true
		}
		level = next
	}
	return fields
}

func embed(level []embedded, inner reflect.Type, index []int) []embedded {
	for i := range level {
		if level[i].of == inner {
			level[i].times++
			return level
		}
	}
	return append(level, embedded{of: inner, index: index, times: 1})
}

// seenField is a field of a Go struct as encoding/json sees it: a field by itself, a struct whose fields count instead,
// or nothing, without a type.
func seenField(f reflect.StructField, index []int) (field jsonField, inner reflect.Type) {
	tag := f.Tag.Get("json")
	of := pointee(f.Type)
	if tag == "-" || !f.IsExported() && !(f.Anonymous && of.Kind() == reflect.Struct) {
		return jsonField{}, nil
	}
	name, options, _ := strings.Cut(tag, ",")
	if !nameable(name) {
		name = ""
	}
	field = jsonField{name: name, of: f.Type, tagged: name != "", index: index}
	if name == "" && f.Anonymous && of.Kind() == reflect.Struct {
		return field, of
	}
	if name == "" {
		field.name = f.Name
	}
	list := strings.Split(options, ",")
	field.quoted = slices.Contains(list, "string") && quotable(of.Kind())
	for _, option := range []string{"omitempty", "omitzero"} {
		if slices.Contains(list, option) {
			field.omits += option + " "
		}
	}
	return field, nil
}

// nameable reports whether encoding/json takes a name from a tag.
func nameable(name string) bool {
	for _, r := range name {
		if !strings.ContainsRune("!#$%&()*+-./:;<=>?@[]^_{|}~ ", r) && !unicode.IsLetter(r) && !unicode.IsDigit(r) {
			return false
		}
	}
	return name != ""
}

// quotable reports whether the option "string" means something for a kind.
func quotable(k reflect.Kind) bool {
	return k == reflect.Bool || k == reflect.String || k == reflect.Float32 || k == reflect.Float64 || integral(k)
}

func integral(k reflect.Kind) bool { return reflect.Int <= k && k <= reflect.Uintptr }

// pointee is what a field of type t holds: unnamed pointers are followed once.
func pointee(t reflect.Type) reflect.Type {
	if t.Name() == "" && t.Kind() == reflect.Pointer {
		return t.Elem()
	}
	return t
}

// findField returns the index of the field that a name means: the one of that name, else the first whose name differs in
// case alone; -1 if there is none.
func findField(fields []jsonField, name string) int {
	for i := range fields {
		if fields[i].name == name {
			return i
		}
	}
	return slices.IndexFunc(fields, func(f jsonField) bool { return strings.EqualFold(f.name, name) })
}

// transparent is what a value of type t is read as: behind pointers, and any where a type reads itself.
func transparent(t reflect.Type) reflect.Type {
	for ; ; t = t.Elem() {
		p := reflect.PointerTo(t)
		if p.Implements(reflect.TypeFor[json.Unmarshaler]()) || readsText(t) {
			return reflect.TypeFor[any]()
		}
		if t.Kind() != reflect.Pointer {
			return t
		}
	}
}

// readsText reports whether a type reads texts, and keys of maps, itself.
func readsText(t reflect.Type) bool {
	return reflect.PointerTo(t).Implements(reflect.TypeFor[encoding.TextUnmarshaler]())
}

// marshalsItself reports whether what a type is in JSON is its own business, one way or the other.
func marshalsItself(t reflect.Type) bool {
	p := reflect.PointerTo(t)
	return p.Implements(reflect.TypeFor[json.Marshaler]()) || p.Implements(reflect.TypeFor[json.Unmarshaler]()) ||
		p.Implements(reflect.TypeFor[encoding.TextMarshaler]()) || readsText(t)
}
