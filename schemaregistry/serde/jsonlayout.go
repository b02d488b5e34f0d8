package serde

import "reflect"

// A jsonLayout is what jsonPlaces has to know of a type, found once for each codec. A type that contains itself has a
// layout that contains itself.
type jsonLayout struct {
	of     reflect.Type
	form   form
	keys   keys          // of a map
	fields []jsonField   // of a struct
	inner  []*jsonLayout // of the fields, or the one of the elements
	wants  reasons       // what calls for a look at a value of the type
}

// A form says how a text gives the values of a type.
type form uint8

const (
	formLeaf   form = iota // a value that nothing can be lost of
	formStruct             // an object whose names are fields
	formMap                // an object whose names are keys
	formList
	formArray // a list that has an end
)

// Keys says what the keys of a map are.
type keys uint8

const (
	keysText    keys = iota // each name is a key
	keysInteger             // two names may be one integer
	keysOwn                 // the type of the keys reads them
)

// Reasons say what calls for a look at the places of a text: as a type has them, where it may lose something; as a text
// has them, what was seen in it.
type reasons uint8

const (
	reasonFolded reasons = 1 << iota // names that differ in case alone: they may be one field
	reasonLoose                      // a name that may be another way to write an integer
	reasonAlways                     // arrays, and keys that their types read
)

// layoutOf returns the layout of a type; known has those that were begun.
func layoutOf(t reflect.Type, known map[reflect.Type]*jsonLayout) *jsonLayout {
	t = transparent(t)
	if l, ok := known[t]; ok {
		return l
	}
	l := &jsonLayout{of: t}
	known[t] = l
	switch t.Kind() {
	case reflect.Struct:
		l.form, l.wants = formStruct, reasonFolded
		l.fields = jsonFields(t)
		for _, f := range l.fields {
			l.inner = append(l.inner, layoutOf(f.of, known))
		}
		return l
	case reflect.Map:
		l.form = formMap
		l.keys, l.wants = keysOf(t.Key())
	case reflect.Array:
		l.form, l.wants = formArray, reasonAlways
	case reflect.Slice:
		l.form = formList
	default:
		return l
	}
	l.inner = []*jsonLayout{layoutOf(t.Elem(), known)}
	return l
}

func keysOf(t reflect.Type) (keys, reasons) {
	switch {
	case readsText(t):
		return keysOwn, reasonAlways
	case t.Kind() == reflect.String:
		return keysText, 0
	}
	return keysInteger, reasonLoose
}

// newLayout returns the layout of a type, in which each part wants what the parts of it do.
func newLayout(t reflect.Type) *jsonLayout {
	known := map[reflect.Type]*jsonLayout{}
	whole := layoutOf(t, known)
	for changed := true; changed; { // a few times: as types are nested
		changed = false
		for _, l := range known {
			was := l.wants
			for _, inner := range l.inner {
				l.wants |= inner.wants
			}
			changed = changed || l.wants != was
		}
	}
	return whole
}
