package serde_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/millrace/millrace/schemaregistry/serde"
)

type inner struct {
	A int `json:"a"`
}

// outer has a field of each way in which a text finds its place.
type outer struct {
	inner
	B     *inner `json:"b"`
	List  []inner
	Map   map[string]inner `json:"map"`
	Any   any
	Kel   int `json:"k"`
	Lower int `json:"x"`
	Upper int `json:"X"`
	Deep  *outer
	Skip  int `json:"-"`
	Own   tolerant
	Num   map[int]inner        `json:"num"`
	Addr  map[netip.Addr]inner `json:"addr"`
	Two   [2]inner             `json:"two"`
	hiding
}

// hiding has names that outer has, or that hide one another.
type hiding struct {
	Any int // hidden by that of outer
	left
	right
}

type left struct {
	Both int
	One  int
}

type right struct {
	Both int
	Ones int `json:"One"`
}

// tolerant reads itself.
type tolerant struct{ seen int }

func (o *tolerant) UnmarshalJSON(text []byte) error {
	o.seen = len(text)
	return nil
}

// refusal decodes a text as T.
func refusal[T any](t *testing.T, src string) error {
	t.Helper()
	_, err := bind(t, serde.JSON[T]()).Decode([]byte(src))
	return err
}

// TestJSONRefusesTwoNamesOfOneField: encoding/json matches them without regard
// to case, and the last would win. Keys of maps are not fields.
func TestJSONRefusesTwoNamesOfOneField(t *testing.T) {
	var many strings.Builder
	for i := range 40 {
		fmt.Fprintf(&many, `"n%d":%d,`, i, i)
	}
	for _, c := range []struct {
		src     string
		refused bool
	}{
		{`{"a":1,"A":2}`, true},
		{`{"A":1,"a":2}`, true},
		{`{"\u0041":1,"a":2}`, true},
		{"{\"k\":1,\"\u212a\":2}", true}, // the sign of the kelvin folds to k
		{`{"K":1,"\u212A":2}`, true},
		{`{"b":{"a":1,"A":2}}`, true},
		{`{"list":[{"a":1},{"a":1,"A":2}]}`, true},
		{`{"map":{"p":{"a":1,"A":2}}}`, true},
		{`{"deep":{"deep":{"deep":{"a":1,"A":2}}}}`, true},
		{`{"deep":{"b":{}},"DEEP":{}}`, true},
		{`{"any":1,"Any":2}`, true},
		{`{"one":1,"One":2}`, true}, // that with the tag counts
		{`{"num":{"1":{"a":1,"A":2}}}`, true},
		{`{"num":{"7":{},"+7":{}}}`, true},
		{`{"num" : { "7" : {} , "007" : {} } }`, true},
		{`{"num":{"\u0037":{},"07":{}}}`, true},
		{`{"addr":{"::1":{"a":1},"::01":{}}}`, true},
		{`{"addr":{"::1":{"a":1,"A":2}}}`, true},
		{`{"addr":{"\u003a:1":{},"::01":{}}}`, true},
		{`{"two":[{"b":"]"},{"a":1,"A":2}]}`, true},
		{`{"other":["}",{"x":"\"]"}],"two":[{},{"a":1,"A":2}]}`, true},
		{`{` + many.String() + `"a":1,"A":2}`, true},
		{`{"a":1,` + many.String() + `"A":2}`, true},

		{`{"both":1,"Both":2}`, false}, // they hide one another: there is no such field
		{`{"num":{"7":{},"70":{},"-7":{},"0":{}},"other":{"7":0,"07":0}}`, false},
		{`{"num":{"07":{},"+8":{},"-0":{}}}`, false},
		{`{"other":["}",{"x":"\"]"}],"addr":{"::1":{}},"two":[{},null]}`, false},
		{`{"A":1}`, false}, // by itself it is the field a
		{`{"x":1,"X":2}`, false},
		{`{"map":{"p":{"a":1},"P":{"a":2}}}`, false},
		{`{"any":{"a":1,"A":2}}`, false},
		{`{"own":{"a":1,"A":2}}`, false},
		{`{"other":1,"Other":2}`, false},
		{`{"other":{"a":1,"A":2}}`, false},
		{`{"skip":1,"Skip":2}`, false},
		{`{"a":1,"b":{"a":2},"list":[{"a":3}]}`, false},
		{`{"b":null,"list":null,"map":null,"p":{"P":1,"p":[]}}`, false},
		{`{` + many.String() + `"a":1}`, false},
	} {
		if err := refusal[outer](t, c.src); errors.Is(err, serde.ErrDuplicate) != c.refused || (err == nil) == c.refused {
			t.Errorf("%s: %v, want it refused: %v", c.src, err, c.refused)
		}
	}
	if err := refusal[map[string]int](t, `{"a":1,"A":2}`); err != nil {
		t.Errorf("two keys of a map: %v", err)
	}
	if err := refusal[[]*outer](t, `[{"x":0},null,{"a":1,"A":2}]`); !errors.Is(err, serde.ErrDuplicate) {
		t.Errorf("in a list: %v", err)
	}
}

// TestJSONRefusesTwoWaysToWriteAKey of a map whose keys are no strings.
func TestJSONRefusesTwoWaysToWriteAKey(t *testing.T) {
	for _, c := range []struct {
		name string
		err  error
		want bool
	}{
		{"same number", refusal[map[int]int](t, `{"1":1,"01":2}`), true},
		{"with a sign", refusal[map[int]int](t, `{"0":1,"-0":2}`), true},
		{"beyond int64", refusal[map[uint64]int](t, `{"18446744073709551615":1,"018446744073709551615":2}`), true},
		{"as if signed", refusal[map[uint64]int](t, `{"18446744073709551615":1,"01":2}`), false},
		{"numbers", refusal[map[uint8]int](t, `{"1":1,"10":2}`), false},
		{"address", refusal[map[netip.Addr]int](t, `{"::1":1,"0:0::1":2}`), true},
		{"addresses", refusal[map[netip.Addr]int](t, `{"::1":1,"::2":2}`), false},
		{"below a field", refusal[struct{ M []map[int]string }](t, `{"m":[{},{"7":"a","07":"b"}]}`), true},
	} {
		if errors.Is(c.err, serde.ErrDuplicate) != c.want || (c.err == nil) == c.want {
			t.Errorf("%s: %v, want it refused: %v", c.name, c.err, c.want)
		}
	}
}

// TestJSONRefusesWhatAnArrayHasNoRoomFor: it would be dropped. An array that is
// given less has zero values, as a struct has.
func TestJSONRefusesWhatAnArrayHasNoRoomFor(t *testing.T) {
	if err := refusal[[2]int](t, `[1,2,3]`); !errors.Is(err, serde.ErrLength) {
		t.Error(err)
	}
	if err := refusal[struct{ P []struct{ At [1]inner } }](t, `{"P":[{"At":[]},{"At":[{},{}]}]}`); !errors.Is(err, serde.ErrLength) {
		t.Error(err)
	}
	for _, src := range []string{`[1,2]`, `[1]`, `null`} {
		if err := refusal[*[2]int](t, src); err != nil {
			t.Errorf("%s: %v", src, err)
		}
	}
}

// TestJSONKeepsTheRulesItSays: what the essay of JSON says is as in encoding/json.
func TestJSONKeepsTheRulesItSays(t *testing.T) {
	got, err := bind(t, serde.JSON[outer]()).Decode([]byte(`{"A":7,"b":{"a":null},"any":9007199254740993,"unknown":[1]}`))
	if err != nil || got.A != 7 || got.B == nil || got.B.A != 0 || got.Any != float64(1<<53) {
		t.Errorf("%+v, %v", got, err)
	}
	for _, src := range []string{`{"a":9223372036854775808}`, `{"a":1} {}`, `{"a":1},`, `{"a":1.5}`, "{\"a\":1}\x00"} {
		if refusal[inner](t, src) == nil {
			t.Errorf("%s was decoded", src)
		}
	}
	if refusal[float32](t, "1e39") == nil || refusal[int8](t, "128") == nil {
		t.Error("a number out of range was decoded")
	}
}

// FuzzJSONPlaces: a text that is decoded gives one value in whatever order the
// members of its outer object come.
func FuzzJSONPlaces(f *testing.F) {
	for _, s := range []string{`{"num":{"1":{},"01":{}}}`, `{"addr":{"::1":{}},"two":[{},{}], "other":["\"]"]}`, `{"a":1,"A":2}`, `{"k":1,"K":2,"x":3,"X":4}`, `{"map":{"a":{}},"MAP":{}}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		c := bind(t, serde.JSON[map[string]json.RawMessage]())
		members, err := c.Decode(src)
		typed := bind(t, serde.JSON[outer]())
		want, wrong := typed.Decode(src)
		if err != nil || wrong != nil {
			return
		}
		first, err := typed.Append(nil, want)
		if err != nil {
			t.Fatal(err)
		}
		for name := range members { // once with each of them last
			quoted, _ := json.Marshal(name)
			text := []byte{'{'}
			for other, value := range members {
				if o, _ := json.Marshal(other); other != name {
					text = fmt.Appendf(text, "%s:%s,", o, value)
				}
			}
			got, err := typed.Decode(fmt.Appendf(text, "%s:%s}", quoted, members[name]))
			if err != nil {
				t.Fatalf("%q: %v in another order", src, err)
			}
			if again, err := typed.Append(nil, got); err != nil || string(again) != string(first) {
				t.Fatalf("%q: %s, in another order %s, %v", src, first, again, err)
			}
		}
	})
}

// BenchmarkJSONPlaces: types that may lose something of a text.
func BenchmarkJSONPlaces(b *testing.B) {
	numbers, addresses, pairs := map[int64]int64{}, map[netip.Addr]int64{}, [100][2]int64{}
	for i := range int64(100) {
		numbers[i], addresses[netip.AddrFrom4([4]byte{10, 0, 0, byte(i)})], pairs[i][0] = i, i, i
	}
	b.Run("integers", func(b *testing.B) { benchmarkDecode(b, struct{ Hits map[int64]int64 }{numbers}) })
	b.Run("addresses", func(b *testing.B) { benchmarkDecode(b, struct{ Hits map[netip.Addr]int64 }{addresses}) })
	b.Run("pairs", func(b *testing.B) { benchmarkDecode(b, struct{ Hits [100][2]int64 }{pairs}) })
}

func benchmarkDecode[T any](b *testing.B, v T) {
	c := bind(b, serde.JSON[T]())
	src, err := c.Append(nil, v)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.Decode(src); err != nil {
			b.Fatal(err)
		}
	}
}
