package serde

import (
	"bytes"
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
)

// ErrLength says that a text has more elements than the array they are for.
var ErrLength = errors.New("more elements than the array has")

// jsonPlaces finds parts of a text that end in one place of a value, where encoding/json keeps the last: names of one
// field, which it matches without regard to case; keys of one map that are written differently and mean the same, such
// as "1" and "01" of integers; elements behind the end of an array, which it drops. It follows the type through a text
// that was decoded as that type, so it is slow, and is asked only where jsonChecker or the type give a reason.
type jsonPlaces struct{ tokens *json.Decoder }

func checkPlaces(src []byte, t reflect.Type) error {
	p := jsonPlaces{json.NewDecoder(bytes.NewReader(src))}
	p.tokens.UseNumber()
	return p.value(t)
}

// value checks the next value, which is for type t.
func (p jsonPlaces) value(t reflect.Type) error {
	t = transparent(t)
	switch t.Kind() {
	case reflect.Struct, reflect.Map, reflect.Slice, reflect.Array:
	default:
		return p.skip()
	}
	token, err := p.tokens.Token()
	switch token {
	case json.Delim('{'):
		return p.object(t)
	case json.Delim('['):
		return p.array(t)
	}
	return err // null, or bytes in base64
}

func (p jsonPlaces) skip() error {
	var whole json.RawMessage
	return p.tokens.Decode(&whole)
}

func (p jsonPlaces) object(t reflect.Type) error {
	find := keyPlace
	if t.Kind() == reflect.Struct {
		find = fieldPlaces(t)
	}
	names := map[any]string{}
	for p.tokens.More() {
		token, err := p.tokens.Token()
		if err != nil {
			return err
		}
		name, _ := token.(string)
		place, elem := find(t, name)
		if place == nil {
			err = p.skip()
		} else if other, taken := names[place]; taken {
			return fmt.Errorf("%w: %.40q and %.40q are one place of %v, and the last would win", ErrDuplicate, other, name, t)
		} else {
			names[place] = name
			err = p.value(elem)
		}
		if err != nil {
			return err
		}
	}
	_, err := p.tokens.Token()
	return err
}

func (p jsonPlaces) array(t reflect.Type) error {
	for n := 0; p.tokens.More(); n++ {
		if t.Kind() == reflect.Array && n == t.Len() {
			return fmt.Errorf("%w: %v", ErrLength, t)
		}
		if err := p.value(t.Elem()); err != nil {
			return err
		}
	}
	_, err := p.tokens.Token()
	return err
}

// keyPlace is the key of a map that a name means; none if it is no key.
func keyPlace(t reflect.Type, name string) (place any, elem reflect.Type) {
	quoted, err := json.Marshal(name)
	if err != nil {
		return nil, nil
	}
	one := reflect.New(reflect.MapOf(t.Key(), reflect.TypeFor[any]()))
	if json.Unmarshal(fmt.Appendf(nil, "{%s:0}", quoted), one.Interface()) != nil {
		return nil, nil
	}
	for _, key := range one.Elem().MapKeys() {
		place = key.Interface()
	}
	return place, t.Elem()
}

// fieldPlaces returns a function that finds the field of a struct a name means, as encoding/json does: the one of that
// name, else the first whose name differs in case alone.
func fieldPlaces(t reflect.Type) func(reflect.Type, string) (any, reflect.Type) {
	fields := jsonFields(nil, t, nil)
	return func(_ reflect.Type, name string) (any, reflect.Type) {
		for _, f := range fields {
			if f.name == name {
				return f.name, f.of
			}
		}
		for _, f := range fields {
			if strings.EqualFold(f.name, name) {
				return f.name, f.of
			}
		}
		return nil, nil
	}
}

// jsonField is a field of a struct, or of one embedded in it.
type jsonField struct {
	name string
	of   reflect.Type
}

// jsonFields appends the fields of a struct; within has the structs it is embedded in.
func jsonFields(dst []jsonField, t reflect.Type, within []reflect.Type) []jsonField {
	for _, outer := range within {
		if outer == t {
			return dst
		}
	}
	for i := range t.NumField() {
		f := t.Field(i)
		tag := f.Tag.Get("json")
		name, _, _ := strings.Cut(tag, ",")
		if inner := pointee(f.Type); f.Anonymous && name == "" && inner.Kind() == reflect.Struct {
			dst = jsonFields(dst, inner, append(within, t))
		} else if f.IsExported() && tag != "-" {
			if name == "" {
				name = f.Name
			}
			dst = append(dst, jsonField{name, f.Type})
		}
	}
	return dst
}

func pointee(t reflect.Type) reflect.Type {
	if t.Kind() == reflect.Pointer {
		return t.Elem()
	}
	return t
}

// transparent is what a value of type t is read as: behind pointers, and any where a type reads itself.
func transparent(t reflect.Type) reflect.Type {
	for ; ; t = t.Elem() {
		p := reflect.PointerTo(t)
		if p.Implements(reflect.TypeFor[json.Unmarshaler]()) || p.Implements(reflect.TypeFor[encoding.TextUnmarshaler]()) {
			return reflect.TypeFor[any]()
		}
		if t.Kind() != reflect.Pointer {
			return t
		}
	}
}

// reasons say what of a type calls for jsonPlaces: fields, where names were seen that differ in case alone; and maps and
// arrays that may lose something, whatever was seen.
type reasons struct{ fields, always bool }

// see adds what there is in a type and all it is made of.
func (r *reasons) see(t reflect.Type, seen map[reflect.Type]bool) {
	if t = transparent(t); seen[t] {
		return
	}
	seen[t] = true
	switch t.Kind() {
	case reflect.Struct:
		r.fields = true
		for _, f := range jsonFields(nil, t, nil) {
			r.see(f.of, seen)
		}
	case reflect.Map:
		reads := reflect.PointerTo(t.Key()).Implements(reflect.TypeFor[encoding.TextUnmarshaler]())
		r.always = r.always || reads || t.Key().Kind() != reflect.String
		r.see(t.Elem(), seen)
	case reflect.Array:
		r.always = true
		r.see(t.Elem(), seen)
	case reflect.Slice:
		r.see(t.Elem(), seen)
	}
}
