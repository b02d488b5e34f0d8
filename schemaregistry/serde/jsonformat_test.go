package serde_test

import (
	"encoding/json"
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
		"base64":                  serde.FormatOf(serde.JSON[[]byte]()),
		"[4 integer]":             serde.FormatOf(serde.JSON[[4]byte]()),
		"[integer]":               serde.FormatOf(serde.JSON[[]int8]()),
		"number":                  serde.FormatOf(serde.JSON[json.Number]()),
		"json.RawMessage":         serde.FormatOf(serde.JSON[json.RawMessage]()),
		"map[string]any":          serde.FormatOf(serde.JSON[map[string]any]()),
		"map[int64]integer":       serde.FormatOf(serde.JSON[map[int64]uint8]()),
		"map[netip.Addr][string]": serde.FormatOf(serde.JSON[map[netip.Addr][]string]()),
		"serde_test.clock":        serde.FormatOf(serde.JSON[clock]()),
		"integer":                 serde.FormatOf(serde.JSON[*time.Duration]()),
		"struct { time.Time; N int }": serde.FormatOf(serde.JSON[struct {
			time.Time
			N int
		}]()),
	} {
		if got != "json "+want {
			t.Errorf("%q, want %q", got, "json "+want)
		}
	}
	if f, want := serde.FormatOf(serde.JSON[recursive]()), "json {N integer, Next serde_test.recursive}"; f != want {
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
	testReads[struct{ P [2]int }](t, struct{ P [3]int }{[3]int{1, 2, 3}}, false)
}

// testReads also decodes where a format is read, and wants a value that is not zero.
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
	if v, err := bind(t, is).Decode(written); want && (err != nil || reflect.ValueOf(&v).Elem().IsZero()) {
		t.Errorf("%s read as %T: %+v, %v", written, v, v, err)
	}
}
