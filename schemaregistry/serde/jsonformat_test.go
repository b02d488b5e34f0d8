package serde_test

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace/schemaregistry/serde"
)

type Totals struct{ N int64 }

type (
	tagged struct {
		Totals `json:"totals"`
	}
	promoted struct{ Totals }
	pointing struct{ *Totals }
	plain    struct{ N int64 }
	asText   struct {
		N int64 `json:",string"`
	}
	optioned struct {
		N int64 `json:"N,omitempty"`
		M int64 `json:",omitzero"`
	}
	dashes struct {
		N    int64 `json:"-,"` //nolint:staticcheck // the name "-" is meant
		Skip int64 `json:"-"`
		List []int `json:",string"` //nolint:staticcheck // it means nothing there
		own  int
	}
	shadowing struct {
		Totals
		N string
	}
	twice struct {
		Totals
		Again
	}
	Again  struct{ N, K int64 }
	chosen struct {
		Totals
		Named
	}
	Named struct {
		Other int64 `json:"N"`
	}
	strange struct {
		A int64 `json:"a b"`
		B int64 `json:"{[%"`
		C int64 `json:"a\"b"` //nolint:staticcheck // no name by encoding/json's rules
	}
	text   string
	embeds struct {
		text
		Text
	}
	Text  string
	clock struct {
		time.Time
		N int64
	}
	wide struct {
		A, B, C, D, E, F map[string]wide
		Other            []wider
	}
	wider struct {
		A, B, C, D, E, F *wide
		More             []wider
	}
	recursive struct {
		N    int64
		Next *recursive
	}
)

// TestJSONFormatHasTheFieldsOfEncodingJSON: what a format names is what is written.
func TestJSONFormatHasTheFieldsOfEncodingJSON(t *testing.T) {
	testFields(t, tagged{}, "{totals {N integer}}")
	testFields(t, promoted{}, "{N integer}")
	testFields(t, pointing{&Totals{}}, "{N integer}")
	testFields(t, asText{}, "{N quoted integer}")
	testFields(t, optioned{1, 1}, "{M integer, N integer}")
	testFields(t, dashes{own: 1}, "{- integer, List [integer]}")
	testFields(t, shadowing{}, "{N string}")
	testFields(t, twice{}, "{K integer}")
	testFields(t, chosen{}, "{N integer}")
	testFields(t, strange{}, "{%7B%5B%25 integer, C integer, a%20b integer}")
	testFields(t, embeds{text: "x"}, "{Text string}")
	testFields(t, struct{}{}, "{}")
}

func testFields[T any](t *testing.T, v T, want string) {
	t.Helper()
	if got := serde.FormatOf(serde.JSON[T]()); got != "json "+want {
		t.Errorf("%T is %q, want %q", v, got, "json "+want)
	}
	members := map[string]any{}
	written, err := json.Marshal(v)
	if err == nil {
		err = json.Unmarshal(written, &members)
	}
	if err != nil {
		t.Fatal(err)
	}
	var named []string
	for field := range strings.SplitSeq(strings.Trim(want, "{}"), ", ") {
		if name, _, ok := strings.Cut(field, " "); ok {
			named = append(named, strings.NewReplacer("%20", " ", "%7B", "{", "%5B", "[", "%25", "%").Replace(name))
		}
	}
	for name := range members {
		if !slices.Contains(named, name) {
			t.Errorf("%T writes %q, which %q lacks", v, name, want)
		}
	}
	if len(members) != len(named) {
		t.Errorf("%T writes %s, and the format has %q", v, written, named)
	}
}

// TestJSONFormatOfKinds: types that are written in different ways have different formats.
func TestJSONFormatOfKinds(t *testing.T) {
	for want, got := range map[string]string{
		"base64":                      serde.FormatOf(serde.JSON[[]byte]()),
		"[4 uint8]":                   serde.FormatOf(serde.JSON[[4]byte]()),
		"[int8]":                      serde.FormatOf(serde.JSON[[]int8]()),
		"[integer]":                   serde.FormatOf(serde.JSON[[]int]()),
		"[number]":                    serde.FormatOf(serde.JSON[[]float64]()),
		"uint64":                      serde.FormatOf(serde.JSON[uint]()),
		"float32":                     serde.FormatOf(serde.JSON[float32]()),
		"decimal":                     serde.FormatOf(serde.JSON[json.Number]()),
		"any":                         serde.FormatOf(serde.JSON[any]()),
		"fmt.Stringer":                serde.FormatOf(serde.JSON[fmt.Stringer]()),
		"[string]":                    serde.FormatOf(serde.JSON[*[]string]()),
		"encoding/json.RawMessage":    serde.FormatOf(serde.JSON[json.RawMessage]()),
		"map[string]any":              serde.FormatOf(serde.JSON[map[string]any]()),
		"map[int64]uint8":             serde.FormatOf(serde.JSON[map[int64]uint8]()),
		"map[net/netip.Addr][string]": serde.FormatOf(serde.JSON[map[netip.Addr][]string]()),
		"github.com/millrace/millrace/schemaregistry/serde_test.clock": serde.FormatOf(serde.JSON[clock]()),
		"integer":            serde.FormatOf(serde.JSON[time.Duration]()),
		"optional integer":   serde.FormatOf(serde.JSON[**time.Duration]()),
		"optional time.Time": serde.FormatOf(serde.JSON[*time.Time]()),
		"struct { time.Time; N int }": serde.FormatOf(serde.JSON[struct {
			time.Time
			N int
		}]()),
	} {
		if got != "json "+want {
			t.Errorf("%q, want %q", got, "json "+want)
		}
	}
	if f, want := serde.FormatOf(serde.JSON[recursive]()), "json {N integer, Next optional ^1}"; f != want {
		t.Errorf("a type that contains itself is %q, want %q", f, want)
	}
	if f := serde.FormatOf(serde.JSON[wide]()); len(f) > 2000 {
		t.Errorf("types that contain one another: %d bytes", len(f))
	}
}

// TestJSONReads: what is read of what was written by another struct, and that decoding does the same.
func TestJSONReads(t *testing.T) {
	testReads[plain](t, promoted{Totals{7}}, true)
	testReads[promoted](t, plain{7}, true)
	testReads[tagged](t, plain{7}, false)
	testReads[promoted](t, tagged{Totals{7}}, false)
	testReads[plain](t, asText{7}, false)
	testReads[asText](t, plain{7}, false)
	testReads[plain](t, optioned{7, 8}, true)
	testReads[plain](t, shadowing{N: "7"}, false)
	testReads[plain](t, dashes{N: 7}, false)
	testReads[struct {
		Count int64 `json:"n"`
	}](t, plain{7}, true) // the name differs in case alone
	testReads[plain](t, struct{ N, M int64 }{7, 8}, true)
	testReads[plain](t, struct {
		N     int64
		Lower int64 `json:"n"`
	}{7, 8}, false) // both would be N
	testReads[struct {
		A int64 `json:"a b"`
	}](t, strange{A: 7}, true)
	testReads[plain](t, clock{}, false)
	testReads[map[string]int64](t, plain{7}, false)
	testReads[*plain](t, promoted{Totals{7}}, true)
	testReads[promoted](t, &plain{7}, false) // null is not read
	testReads[struct{ P [2]int }](t, struct{ P [3]int }{[3]int{1, 2, 3}}, false)
}

// testReads also decodes where a format is read, and wants a value that is not zero if the one before is not.
func testReads[Is, Was any](t *testing.T, was Was, want bool) {
	t.Helper()
	is := serde.JSON[Is]()
	if got := serde.ReadsFormat(is, serde.FormatOf(serde.JSON[Was]())); got != want {
		t.Errorf("%T reads %T: %v, want %v", *new(Is), was, got, want)
	}
	written, err := bind(t, serde.JSON[Was]()).Append(nil, was)
	if err != nil {
		t.Fatal(err)
	}
	if v, err := bind(t, is).Decode(written); want && (err != nil || reflect.ValueOf(&v).Elem().IsZero() && !reflect.ValueOf(&was).Elem().IsZero()) {
		t.Errorf("%s read as %T: %+v, %v", written, v, v, err)
	}
}

// TestJSONReadsNumbers: a type reads a narrower one, wherever it is, and no other.
func TestJSONReadsNumbers(t *testing.T) {
	testReads[int64](t, int32(7), true)
	testReads[int16](t, uint8(7), true)
	testReads[float64](t, float32(7), true)
	testReads[float64](t, int32(7), true)
	testReads[float32](t, int16(7), true)
	testReads[json.Number](t, uint64(7), true)
	testReads[json.Number](t, 7.5, true)
	testReads[map[int]string](t, map[int32]string{7: "7"}, true)
	testReads[struct {
		In []map[string]struct{ N int64 }
	}](t, struct {
		In []map[string]struct{ N uint16 }
	}{[]map[string]struct{ N uint16 }{{"": {7}}}}, true)
	testReads[plain](t, struct{ N int8 }{7}, true)
	testReads[asText](t, struct {
		N int8 `json:",string"`
	}{7}, true)

	testReads[int8](t, int64(7), false)
	testReads[uint64](t, int64(7), false)
	testReads[uint64](t, int8(7), false)
	testReads[int64](t, uint64(7), false)
	testReads[int8](t, uint8(7), false)
	testReads[float32](t, 16777217.125, false)
	testReads[float32](t, int32(7), false)
	testReads[float64](t, int64(7), false)
	testReads[float64](t, json.Number("7"), false)
	testReads[int64](t, 7.5, false)
	testReads[any](t, int64(7), false)
	testReads[[2]int8](t, [2]int16{7}, false)
	testReads[map[int8]string](t, map[int16]string{7: "7"}, false)
	testReads[struct {
		In []map[string]struct{ N int32 }
	}](t, struct {
		In []map[string]struct{ N int64 }
	}{}, false)
	testReads[struct{ N int8 }](t, plain{7}, false)
	testReads[plain](t, struct{ N *int64 }{}, false)
	testReads[fmt.Stringer](t, any(nil), false)
}

type (
	deep[T any] struct {
		A struct {
			B struct {
				C struct{ D struct{ E struct{ F T } } }
			}
		}
	}
	deepInt    struct{ N int64 }
	deepNumber struct {
		N float64
		S string
	}
	renamed  struct{ N int64 }
	nested   struct{ List [][][][][][][]*nested }
	nested2  struct{ List [][][][][][][]*nested2 }
	turn     struct{ Turn *turnBack }
	turnBack struct {
		Back *turn
		N    int64
	}
)

// TestJSONFormatOfWhatIsDeep: what is not spelled out counts with all that it has, without the names of types.
func TestJSONFormatOfWhatIsDeep(t *testing.T) {
	testReads[deep[renamed]](t, deep[deepInt]{}, true)
	testReads[deep[deepNumber]](t, deep[deepInt]{}, false)
	testReads[deep[[]map[string][]deepNumber]](t, deep[[]map[string][]deepInt]{}, false)
	testReads[deep[deep[deep[deepNumber]]]](t, deep[deep[deep[deepInt]]]{}, false)
	testReads[deep[deep[deep[renamed]]]](t, deep[deep[deep[deepInt]]]{}, true)
	testReads[deep[nested]](t, deep[nested2]{}, true)
	testReads[deep[turn]](t, deep[turnBack]{}, false)
	testReads[deep[wide]](t, deep[wider]{}, false)
	testReads[nested2](t, nested{}, true)
	for want, got := range map[string]string{
		"json {A {B {C {D {E {F string}}}}}}":            serde.FormatOf(serde.JSON[deep[string]]()),
		"json {A {B {C {D {E {F integer}}}}}}":           serde.FormatOf(serde.JSON[deep[int]]()),
		"json {A {B {C {D {E {F #8da410b1e916f099}}}}}}": serde.FormatOf(serde.JSON[deep[deepInt]]()),
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

type (
	grown struct {
		Next *grown
		N    int64
		More string
	}
	narrow struct {
		N    int32
		Next *narrow
	}
	loopOuter struct{ X struct{ Y *loopOuter } }
	loopInner struct{ X loopBack }
	loopBack  struct{ Y *loopBack }
)

// TestJSONReadsWhatContainsItself: inside of itself as from outside.
func TestJSONReadsWhatContainsItself(t *testing.T) {
	testReads[grown](t, recursive{7, &recursive{N: 8}}, true)
	testReads[recursive](t, grown{N: 7, Next: &grown{N: 8}}, true)
	testReads[recursive](t, narrow{7, &narrow{N: 8}}, true)
	testReads[narrow](t, recursive{7, &recursive{N: 8}}, false)
	testReads[loopInner](t, loopOuter{}, false) // what it contains is another
	testReads[turn](t, turnBack{N: 7}, false)
	testReads[*grown](t, recursive{7, &recursive{N: 8}}, true)
}

// TestJSONReadsOlderText: what versions before said in fewer words is read where it can only be right.
func TestJSONReadsOlderText(t *testing.T) {
	for _, c := range []struct {
		is   serde.FormatReader
		was  string
		want bool
	}{
		{reader[plain](), "json {N integer}", true},
		{reader[struct{ N float64 }](), "json {N number}", true},
		{reader[struct{ N *int64 }](), "json {N integer}", true},
		{reader[recursive](), "json {N integer, Next serde_test.recursive}", true},
		{reader[struct{ N int32 }](), "json {N integer}", false}, // it may have been an int64
		{reader[struct{ N uint64 }](), "json {N integer}", false},
		{reader[struct{ N float32 }](), "json {N number}", false},
		{reader[deep[deepInt]](), "json {A {B {C {D {E {F serde_test.deepInt}}}}}}", false},
		{reader[deep[int64]](), "json {A {B {C {D {E {F int64}}}}}}", true},
		{reader[deep[float64]](), "json {A {B {C {D {E {F float64}}}}}}", true},
	} {
		if got := c.is.Reads(c.was); got != c.want && c.is.Format() != c.was {
			t.Errorf("%q reads %q: %v, want %v", c.is.Format(), c.was, got, c.want)
		}
	}
}

func reader[T any]() serde.FormatReader { return serde.JSON[T]().(serde.FormatReader) }
