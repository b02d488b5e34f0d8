package serde

import (
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strconv"
)

// ErrLength says that a text has more elements than the array they are for.
var ErrLength = errors.New("more elements than the array has")

// jsonPlaces finds parts of a text that end in one place of a value, where encoding/json keeps the last: names of one
// field, which it matches without regard to case; keys of one map that are written differently and mean the same, such
// as "1" and "01" of integers; elements behind the end of an array, which it drops. It follows the type through a text
// that was decoded as that type, so it knows that the text is JSON; where what was seen of the text and the type give no
// reason to look, it passes on.
type jsonPlaces struct {
	src  []byte
	at   int
	seen reasons // of the text
}

// checkPlaces checks a text that was decoded; seen is what the text gives reason for.
func checkPlaces(src []byte, l *jsonLayout, seen reasons) error {
	p := jsonPlaces{src: src, seen: seen | reasonAlways}
	return p.value(l)
}

// value checks the next value, of the layout.
func (p *jsonPlaces) value(l *jsonLayout) error {
	first := p.next()
	switch {
	case l.wants&p.seen == 0:
	case first == '{' && l.form == formStruct:
		return p.object(p.fields(l))
	case first == '{' && l.form == formMap:
		return p.object(p.keys(l))
	case first == '[' && l.form >= formList:
		return p.array(l)
	}
	p.skip()
	return nil
}

// next is the next byte that is no space.
func (p *jsonPlaces) next() byte {
	for p.at < len(p.src) {
		switch c := p.src[p.at]; c {
		case ' ', '\t', '\r', '\n':
			p.at++
		default:
			return c
		}
	}
	return 0
}

// more goes behind the comma or the bracket that follows a member or an element, and reports whether it was a comma.
func (p *jsonPlaces) more() bool {
	c := p.next()
	p.at++
	return c == ','
}

// skip goes behind a value, which begins here.
func (p *jsonPlaces) skip() {
	for depth := 0; p.at < len(p.src); p.at++ {
		switch p.src[p.at] {
		case '"':
			p.text()
			p.at--
		case '{', '[':
			depth++
			continue
		case '}', ']':
			if depth--; depth < 0 {
				return
			}
		case ',', ' ', '\t', '\r', '\n':
			if depth == 0 {
				return
			}
			continue
		default:
			continue
		}
		if depth == 0 {
			p.at++
			return
		}
	}
}

// text goes behind a text and returns it with its quotes.
func (p *jsonPlaces) text() (quoted []byte, escaped bool) {
	from := p.at
	for p.at++; p.at < len(p.src) && p.src[p.at] != '"'; p.at++ {
		if p.src[p.at] == '\\' {
			escaped = true
			p.at++
		}
	}
	p.at = min(p.at+1, len(p.src))
	return p.src[from:p.at], escaped
}

// name goes behind a name and its colon and returns it.
func (p *jsonPlaces) name() []byte {
	quoted, escaped := p.text()
	name := quoted[1 : len(quoted)-1]
	if escaped {
		var plain string
		_ = json.Unmarshal(quoted, &plain) // it was decoded before
		name = []byte(plain)
	}
	p.next()
	p.at++
	return name
}

// A member checks one member of an object, whose value begins here.
type member func(name []byte) error

func (p *jsonPlaces) object(check member) error {
	p.at++
	if p.next() == '}' {
		p.at++
		return nil
	}
	for more := true; more; more = p.more() {
		p.next()
		if err := check(p.name()); err != nil {
			return err
		}
	}
	return nil
}

func (p *jsonPlaces) array(l *jsonLayout) error {
	p.at++
	if p.next() == ']' {
		p.at++
		return nil
	}
	for n, more := 0, true; more; n, more = n+1, p.more() {
		if l.form == formArray && n == l.of.Len() {
			return fmt.Errorf("%w: %v", ErrLength, l.of)
		}
		if err := p.value(l.inner[0]); err != nil {
			return err
		}
	}
	return nil
}

// fields checks members as fields of a struct. Without names that differ in case alone each has a field of its own.
func (p *jsonPlaces) fields(l *jsonLayout) member {
	var taken map[int][]byte
	if p.seen&reasonFolded != 0 {
		taken = map[int][]byte{}
	}
	return func(name []byte) error {
		field := findField(l.fields, string(name))
		if field < 0 {
			p.next()
			p.skip()
			return nil
		}
		if other, twice := taken[field]; twice {
			return onePlace(l, other, name)
		}
		if taken != nil {
			taken[field] = name
		}
		return p.value(l.inner[field])
	}
}

// keys checks members as entries of a map.
func (p *jsonPlaces) keys(l *jsonLayout) member {
	var key func(name []byte) (any, bool)
	switch {
	case l.keys == keysOwn:
		key = ownKey(l.of.Key())
	case l.keys == keysInteger && p.seen&reasonLoose != 0:
		key = integerKey
	default:
		return func([]byte) error { return p.value(l.inner[0]) }
	}
	taken := map[any][]byte{}
	return func(name []byte) error {
		if k, ok := key(name); ok {
			if other, twice := taken[k]; twice {
				return onePlace(l, other, name)
			}
			taken[k] = name
		}
		return p.value(l.inner[0])
	}
}

func onePlace(l *jsonLayout, one, other []byte) error {
	return fmt.Errorf("%w: %.40q and %.40q are one place of %v, and the last would win", ErrDuplicate, one, other, l.of)
}

// ownKey returns a function that finds the key a name means to a type that reads its keys itself.
func ownKey(t reflect.Type) func(name []byte) (any, bool) {
	k := reflect.New(t)
	reader, ok := k.Interface().(encoding.TextUnmarshaler)
	return func(name []byte) (any, bool) {
		k.Elem().SetZero()
		if !ok || reader.UnmarshalText(name) != nil {
			return nil, false
		}
		return k.Elem().Interface(), true
	}
}

// integerKey is the integer that a name means. Those beyond int64 are of unsigned keys.
func integerKey(name []byte) (any, bool) {
	if n, err := strconv.ParseInt(string(name), 10, 64); err == nil {
		return n, true
	}
	n, err := strconv.ParseUint(string(name), 10, 64)
	return n, err == nil
}

// loose reports whether a name may be another way to write an integer than the shortest: with a plus, or a zero that
// other digits follow, or minus zero.
func loose(name []byte) bool {
	if len(name) < 2 {
		return false
	}
	return name[0] == '+' || name[0] == '0' || name[0] == '-' && name[1] == '0'
}
