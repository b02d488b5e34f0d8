package serde_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strings"
	"testing"

	"github.com/millrace/millrace/schemaregistry/serde"
	"github.com/millrace/millrace/schemaregistry/serde/serdetest"
)

type order struct {
	ID    string            `json:"id"`
	Cents int64             `json:"cents"`
	Tags  map[string]string `json:"tags,omitempty"`
}

func TestJSONConforms(t *testing.T) {
	t.Run("struct", func(t *testing.T) {
		serdetest.Run(t, serde.JSON[order](), []order{{}, {ID: "a<b>&\u2028\"\\", Cents: math.MinInt64},
			{ID: "é😀", Tags: map[string]string{"b": "1", "a": "2", "c": "3"}}},
			func(a, b order) bool { return reflect.DeepEqual(a, b) })
	})
	t.Run("pointer", func(t *testing.T) {
		one, two := 1, 2
		serdetest.Run(t, serde.JSON[*int](), []*int{nil, &one, &two},
			func(a, b *int) bool { return reflect.DeepEqual(a, b) })
	})
	t.Run("string", func(t *testing.T) {
		serdetest.Run(t, serde.JSON[string](), []string{"", "null", `{"a":1,"a":2}`, strings.Repeat("[", 2000)}, same)
	})
	t.Run("any", func(t *testing.T) {
		serdetest.Run(t, serde.JSON[any](), []any{nil, true, 1.5, "x", []any{}, map[string]any{"k": []any{nil}}},
			func(a, b any) bool { return reflect.DeepEqual(a, b) })
	})
	t.Run("unmarshals itself", func(t *testing.T) {
		serdetest.Run(t, serde.JSON[optional](), []optional{{}, {set: true}}, same)
	})
}

// optional is a type whose absence is null.
type optional struct{ set bool }

func (o optional) MarshalJSON() ([]byte, error) {
	if o.set {
		return []byte("1"), nil
	}
	return []byte("null"), nil
}

func (o *optional) UnmarshalJSON(text []byte) error {
	o.set = string(text) != "null"
	return nil
}

func TestJSONWritesWhatMarshalWrites(t *testing.T) {
	c := bind(t, serde.JSON[order]())
	for _, v := range []order{{}, {ID: "<&>\xff"}, {Tags: map[string]string{"z": "1", "a": "2"}}} {
		want, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := c.Append([]byte("p"), v); err != nil || string(got) != "p"+string(want) {
			t.Errorf("got %s (%v), want p%s", got, err, want)
		}
	}
}

func TestJSONEncodeError(t *testing.T) {
	c := bind(t, serde.JSON[float64]())
	got, err := c.Append([]byte("kept"), math.NaN())
	if err == nil || string(got) != "kept" {
		t.Errorf("NaN gave %s, %v", got, err)
	}
	if got, err := c.Append(nil, 1); err != nil || string(got) != "1" {
		t.Errorf("after an error the codec gave %s, %v", got, err)
	}
}

func TestJSONRefuses(t *testing.T) {
	manyNames := func(last string) string {
		var b strings.Builder
		b.WriteByte('{')
		for i := range 100 {
			fmt.Fprintf(&b, `"n%d":%d,`, i, i)
		}
		return b.String() + `"` + last + `":0}`
	}
	nested := func(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }
	tests := []struct {
		name, src string
		want      error // nil: accepted
	}{
		{"object", `{"a":{"a":1},"b":[{"a":1},{"a":2}]}`, nil},
		{"same string as name and value", `{"a":"a","b":"a"}`, nil},
		{"names after a closed object", `{"a":{"x":1,"y":2},"x":1,"y":2}`, nil},
		{"duplicate", `{"a":1,"a":2}`, serde.ErrDuplicate},
		{"duplicate with space", "{\"a\" \t\r\n:1,\"b\":0, \"a\":2}", serde.ErrDuplicate},
		{"duplicate by escape", `{"a":1,"\u0061":2}`, serde.ErrDuplicate},
		{"duplicate empty", `{"":1,"":2}`, serde.ErrDuplicate},
		{"duplicate after nested", `{"a":{"b":[1,{"c":0}]},"a":2}`, serde.ErrDuplicate},
		{"duplicate deep", `[[{"q":{"a":1,"a":2}}]]`, serde.ErrDuplicate},
		{"many names", manyNames("other"), nil},
		{"many names, first again", manyNames("n0"), serde.ErrDuplicate},
		{"many names, last again", manyNames("n99"), serde.ErrDuplicate},
		{"brackets in strings", `["[[[{{{", "\"]"]`, nil},
		{"deepest", nested(serde.MaxDepth), nil},
		{"too deep", nested(serde.MaxDepth + 1), serde.ErrDepth},
		{"10,000 levels", nested(10_000), serde.ErrDepth},
		{"10,000 levels, open", strings.Repeat(`{"a":`, 10_000), serde.ErrDepth},
		{"surrogate pair", `"\ud83d\ude00"`, nil},
		{"escaped backslash before u", `"\\ud83d"`, nil},
		{"lone high surrogate", `"\ud83d"`, serde.ErrText},
		{"lone low surrogate", `"\ude00"`, serde.ErrText},
		{"swapped pair", `"\ude00\ud83d"`, serde.ErrText},
		{"high and letter", `"\ud83dxude00"`, serde.ErrText},
		{"lone in a name", `{"\ud83d":1}`, serde.ErrText},
		{"not UTF-8", "\"\xff\"", serde.ErrText},
		{"UTF-8 of a surrogate", "\"\xed\xa0\x80\"", serde.ErrText},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := bind(t, serde.JSON[any]()).Decode([]byte(tt.src))
			if !errors.Is(err, tt.want) {
				t.Errorf("got %v, want %v", err, tt.want)
			}
		})
	}
}

func TestJSONSyntaxAndType(t *testing.T) {
	c := bind(t, serde.JSON[order]())
	for _, src := range []string{
		"", " ", "{", "}", `{"id":"a"`, `{"id":"a"}x`, `{"id":"a"}{}`, `{"id":1}`, `{"cents":1.5}`, `{"cents":1e400}`,
		`{"cents":NaN}`, `{"cents":9223372036854775808}`, `{"id":"\x"}`, `{"\x":1}`, `{"id":"\u12"}`, `"`, `"\`, "null", " null\n", "[]", "nul",
	} {
		if v, err := c.Decode([]byte(src)); err == nil {
			t.Errorf("%q decoded to %+v", src, v)
		} else if !strings.Contains(err.Error(), "serde_test.order") {
			t.Errorf("%q: the error does not name the type: %v", src, err)
		}
	}
	if v, err := c.Decode([]byte(" {\"id\":\"a\"}\n")); err != nil || v.ID != "a" {
		t.Errorf("after errors the codec gave %+v, %v", v, err)
	}
	if _, err := bind(t, serde.JSON[float64]()).Decode([]byte("1e400")); err == nil {
		t.Error("1e400 is no float64")
	}
}

func TestJSONErrorGivesZero(t *testing.T) {
	if v, err := bind(t, serde.JSON[order]()).Decode([]byte(`{"id":"half","cents":"x"}`)); err == nil || v.ID != "" {
		t.Errorf("a half-read value came back: %+v, %v", v, err)
	}
}

// FuzzJSON compares the checks with a slow reader of tokens, and checks that what decodes survives a round trip.
func FuzzJSON(f *testing.F) {
	for _, s := range []string{`{"a":1,"b":{"a":[1,2]}}`, `{"a":1,"\u0061":2}`, `"\ud83d\ude00"`, `[[[]]]`, "null", `{"a":"a","b" :"\""}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		c := bind(t, serde.JSON[any]())
		v, err := c.Decode(src)
		if json.Valid(src) && errors.Is(err, serde.ErrDuplicate) != hasDuplicate(src) && !errors.Is(err, serde.ErrText) && !errors.Is(err, serde.ErrDepth) {
			t.Fatalf("%q: %v, but the slow reader says duplicate %v", src, err, hasDuplicate(src))
		}
		if err != nil {
			return
		}
		if !json.Valid(src) {
			t.Fatalf("%q is not JSON but decoded to %v", src, v)
		}
		text, err := c.Append(nil, v)
		if err != nil {
			t.Fatalf("%q decoded to %v, which does not encode: %v", src, v, err)
		}
		again, err := c.Decode(text)
		if err != nil || !reflect.DeepEqual(again, v) {
			t.Fatalf("%q decoded to %v, which came back as %v (%v)", src, v, again, err)
		}
	})
}

// hasDuplicate reads the tokens of a valid text.
func hasDuplicate(src []byte) bool {
	d := json.NewDecoder(bytes.NewReader(src))
	d.UseNumber()
	var value func() bool
	value = func() bool {
		token, _ := d.Token()
		found, names := false, map[string]bool{}
		for token == json.Delim('{') && d.More() {
			name, _ := d.Token()
			found = found || names[name.(string)]
			names[name.(string)] = true
			found = value() || found
		}
		for token == json.Delim('[') && d.More() {
			found = value() || found
		}
		if token == json.Delim('{') || token == json.Delim('[') {
			_, _ = d.Token()
		}
		return found
	}
	return value()
}

func BenchmarkJSON(b *testing.B) {
	c := bind(b, serde.JSON[order]())
	src, err := c.Append(nil, order{ID: "order-1234567", Cents: 1999, Tags: map[string]string{"country": "de"}})
	if err != nil {
		b.Fatal(err)
	}
	b.Run("decode", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := c.Decode(src); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("append", func(b *testing.B) {
		dst := make([]byte, 0, 256)
		v := order{ID: "order-1234567", Cents: 1999}
		b.ReportAllocs()
		for b.Loop() {
			if _, err := c.Append(dst, v); err != nil {
				b.Fatal(err)
			}
		}
	})
}
