package windowing

import (
	"reflect"

	"github.com/millrace/millrace/schemaregistry/serde"
)

// Apart returns a function that copies a value, for a record that is taken into several windows as it is: they must not
// share memory that one of them changes later. It is nil where that cannot happen, because a time is in one window only
// or values of the type share nothing that can be changed. value is the serde of the store; copies are made through it,
// so that they are what a restart would read.
func Apart[A any](d Definition, value serde.Serde[A], store string) (func(v *A) (A, error), error) {
	if !overlapping(d) || flat(reflect.TypeFor[A]()) {
		return nil, nil
	}
	c, err := value.Bind(serde.Use{Role: serde.State, Name: store})
	return copier(c), err
}

// overlapping reports whether a time may be in several windows.
func overlapping(d Definition) bool {
	switch w := d.(type) {
	case SlidingWindows:
		return true
	case Windows:
		switch w.kind.(type) {
		case nil:
			return w.advance < w.size
		case calendar, unlimited:
			return false
		}
		return true
	}
	return false
}

// copier returns a function that gives a value of its own to each of two windows that had one. Values without pointers,
// but for those of strings, are copied as they are, others through their bytes.
func copier[A any](c serde.Codec[A]) func(v *A) (A, error) {
	if flat(reflect.TypeFor[A]()) {
		return func(v *A) (A, error) { return *v, nil }
	}
	var b []byte
	return func(v *A) (copied A, err error) {
		if b, err = c.Append(b[:0], *v); err != nil {
			return copied, err
		}
		return c.Decode(b)
	}
}

// flat reports whether values of a type share nothing that can be changed.
func flat(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Array:
		return flat(t.Elem())
	case reflect.Struct:
		for i := range t.NumField() {
			if !flat(t.Field(i).Type) {
				return false
			}
		}
		return true
	case reflect.String:
		return true
	}
	return t.Kind() > reflect.Invalid && t.Kind() <= reflect.Complex128 && t.Kind() != reflect.Uintptr
}
