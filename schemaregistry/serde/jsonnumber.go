package serde

import (
	"encoding/json"
	"fmt"
	"reflect"
)

// A jsonNumber is which numbers a type holds: all integers whose magnitude has so many bits, and where it has fractions
// all numbers of so many significant bits.
type jsonNumber struct {
	bits     int
	signed   bool
	fraction bool
}

// Numbers with fractions, by their significant bits.
const (
	floatBits   = 24
	doubleBits  = 53
	decimalBits = 1 << 20 // any
)

// numberOf is what a type holds; false if it is no number, or what it is in JSON is its own business.
func numberOf(t reflect.Type) (jsonNumber, bool) {
	k := t.Kind()
	switch {
	case isDecimal(t):
		return jsonNumber{decimalBits, true, true}, true
	case marshalsItself(t):
		return jsonNumber{}, false
	case k == reflect.Float64:
		return jsonNumber{doubleBits, true, true}, true
	case k == reflect.Float32:
		return jsonNumber{floatBits, true, true}, true
	case reflect.Int <= k && k <= reflect.Int64:
		return jsonNumber{t.Bits() - 1, true, false}, true
	case integral(k):
		return jsonNumber{t.Bits(), false, false}, true
	}
	return jsonNumber{}, false
}

// numberNamed is what a shape holds, or the kind of the keys of a map; false if it is no number. Versions before had one
// name for all integers and one for both floats, which now are those of the widest: what is read of them is right.
func numberNamed(shape string) (jsonNumber, bool) {
	switch shape {
	case "decimal":
		return jsonNumber{decimalBits, true, true}, true
	case "number", "float64":
		return jsonNumber{doubleBits, true, true}, true
	case "float32":
		return jsonNumber{floatBits, true, true}, true
	case "integer", "int", "int64":
		return jsonNumber{63, true, false}, true
	case "uint", "uintptr", "uint64":
		return jsonNumber{64, false, false}, true
	}
	for bits := 8; bits <= 32; bits *= 2 {
		for _, n := range []jsonNumber{{bits - 1, true, false}, {bits, false, false}} {
			if n.String() == shape {
				return n, true
			}
		}
	}
	return jsonNumber{}, false
}

// String is the shape.
func (n jsonNumber) String() string {
	switch {
	case n.fraction && n.bits == decimalBits:
		return "decimal"
	case n.fraction && n.bits == doubleBits:
		return "number"
	case n.fraction:
		return "float32"
	case n.signed && n.bits == 63:
		return "integer"
	case n.signed:
		return fmt.Sprintf("int%d", n.bits+1)
	}
	return fmt.Sprintf("uint%d", n.bits)
}

// holds reports whether each number of another type is one of this.
func (n jsonNumber) holds(other jsonNumber) bool {
	return n.bits >= other.bits && (n.signed || !other.signed) && (n.fraction || !other.fraction)
}

// isDecimal reports whether a type is json.Number, which keeps a number as its text.
func isDecimal(t reflect.Type) bool { return t == reflect.TypeFor[json.Number]() }
