package serde

import (
	htmltemplate "html/template"
	"reflect"
	"testing"
	texttemplate "text/template"
)

// Types of one short name are told apart by their packages.
func TestTypeName(t *testing.T) {
	html, text := reflect.TypeFor[*htmltemplate.Template](), reflect.TypeFor[*texttemplate.Template]()
	if html.String() != text.String() || typeName(html) == typeName(text) {
		t.Errorf("%q and %q", typeName(html), typeName(text))
	}
}

// Of keys it counts how they are written, and not only what is read.
func TestKeysAreTheirBytes(t *testing.T) {
	type (
		ab      struct{ A, B string }
		ba      struct{ B, A string }
		abc     struct{ A, B, C string }
		omitted struct {
			A string
			B string `json:",omitempty"`
		}
		nested struct{ In ab }
		other  struct{ In ba }
	)
	was := KeyFormatOf(JSON[ab]())
	for name, c := range map[string]struct{ reads, want bool }{
		"the same":              {ReadsKeyFormat(JSON[ab](), was), true},
		"of a version before":   {ReadsKeyFormat(JSON[ab](), FormatOf(JSON[ab]())), true},
		"another order":         {ReadsKeyFormat(JSON[ba](), was), false},
		"a field more":          {ReadsKeyFormat(JSON[abc](), was), false},
		"left out where empty":  {ReadsKeyFormat(JSON[omitted](), was), false},
		"another order, inside": {ReadsKeyFormat(JSON[other](), KeyFormatOf(JSON[nested]())), false},
		"texts":                 {ReadsKeyFormat(String, KeyFormatOf(String)), true},
		"texts for bytes":       {ReadsKeyFormat(Bytes, KeyFormatOf(String)), false},
	} {
		if c.reads != c.want {
			t.Errorf("%s: %v (%s)", name, c.reads, was)
		}
	}
}
