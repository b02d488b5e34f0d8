package state

import (
	"fmt"
	"strings"
	"testing"

	"github.com/millrace/millrace/schemaregistry/serde"
)

func TestDifferences(t *testing.T) {
	windows := func(value string, reads ...string) Spec {
		return Spec{Name: "w", Kind: Window, Traits: []Trait{
			{Name: "windows", Value: value, Reads: func(was string) bool { return strings.Contains(strings.Join(reads, "|"), was) }},
		}}
	}
	more := windows("tumbling 1m0s")
	more.Traits = append(more.Traits, Trait{Name: "version", Value: "2"})
	for name, c := range map[string]struct {
		was, is Spec
		want    string
	}{
		"the same":             {windows("tumbling 1m0s"), windows("tumbling 1m0s"), "[]"},
		"another":              {windows("tumbling 1m0s"), windows("tumbling 5m0s"), `[windows: was "tumbling 1m0s", is "tumbling 5m0s"]`},
		"another that is read": {windows("tumbling 1m0s"), windows("tumbling 5m0s", "tumbling 1m0s"), "[]"},
		"not known before":     {windows("tumbling 1m0s"), more, "[]"},
		"not known any more":   {more, windows("tumbling 1m0s"), `[version: was "2", is not set]`},
		"long":                 {windows(strings.Repeat("a", 5000)), windows(strings.Repeat("a", 5001), strings.Repeat("a", 5000)), "[]"},
		"longer than is kept":  {windows(strings.Repeat("a", traitValueMax+1)), windows(strings.Repeat("a", traitValueMax+1)), "[]"},
		"longer, and another":  {windows(strings.Repeat("a", traitValueMax+1)), windows("b", hashOf(strings.Repeat("a", traitValueMax+1))), `[windows: was "` + hashOf(strings.Repeat("a", traitValueMax+1)) + `", is "b"]`},
		"kept as a hash once":  {windows(hashOf(strings.Repeat("a", 5000))), windows(strings.Repeat("a", 5000)), "[]"},
	} {
		storage := NewMemory()
		s := openSpecs(t, storage, c.was)
		if d := s.Differences("w"); d != nil {
			t.Errorf("%s: a new store differs: %v", name, d)
		}
		commitAll(t, s, at(1))
		closeAll(t, closer{s})
		s = openSpecs(t, storage, c.is)
		if got := fmt.Sprint(s.Differences("w")); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}

// An operator may go on with what it finds, and that is what is written from then on.
func TestKeepATrait(t *testing.T) {
	storage, spec := NewMemory(), Spec{Name: "w", Kind: Window, Traits: []Trait{{Name: "layout", Value: "panes"}}}
	s := openSpecs(t, storage, spec)
	if was, ok := s.KeptTrait("w", "layout"); ok {
		t.Errorf("a new store has kept %q", was)
	}
	s.KeepTrait("w", "layout", "windows")
	s.KeepTrait("w", "unknown", "x")
	commitAll(t, s, at(1))
	closeAll(t, closer{s})
	s = openSpecs(t, storage, spec)
	if was, ok := s.KeptTrait("w", "layout"); !ok || was != "windows" {
		t.Errorf("kept %q, %v, want windows", was, ok)
	}
	if _, ok := s.KeptTrait("w", "unknown"); ok {
		t.Error("a trait was added")
	}
}

// A later version of a codec says which formats of its own it reads.
func TestFormatsOfCodecs(t *testing.T) {
	type a struct{ X int }
	type b struct{ X, Y int }
	type c struct{ X string }
	for name, tt := range map[string]struct {
		was, is Trait
		reads   bool
	}{
		"the same":              {Format("v", serde.Int64), Format("v", serde.Int64), true},
		"int64 as float64":      {Format("v", serde.Int64), Format("v", serde.Float64), false},
		"int64 as text":         {Format("v", serde.Int64), Format("v", serde.String), false},
		"a field more":          {Format("v", serde.JSON[a]()), Format("v", serde.JSON[b]()), true},
		"a field less":          {Format("v", serde.JSON[b]()), Format("v", serde.JSON[a]()), true},
		"a field of other kind": {Format("v", serde.JSON[a]()), Format("v", serde.JSON[c]()), false},
		"JSON as text":          {Format("v", serde.JSON[a]()), Format("v", serde.String), false},
		"with times":            {Format("v", TimestampedSerde(serde.JSON[a]())), Format("v", TimestampedSerde(serde.JSON[b]())), true},
		"with times, other":     {Format("v", TimestampedSerde(serde.Int64)), Format("v", TimestampedSerde(serde.Float64)), false},
		"declared":              {Format("v", serde.Of[int64](money1{})), Format("v", serde.Of[int64](money2{})), true},
		"declared, backwards":   {Format("v", serde.Of[int64](money2{})), Format("v", serde.Of[int64](money1{})), false},
	} {
		got := Compare([]Trait{{Name: "v", Value: tt.was.Value}}, []Trait{tt.is})
		if (got == nil) != tt.reads {
			t.Errorf("%s: from %q to %q: %v", name, tt.was.Value, tt.is.Value, got)
		}
	}
}

// money1 and money2 are two versions of one codec.
type money1 struct{ serde.Codec[int64] }

func (money1) Format() string { return "money/1" }

type money2 struct{ serde.Codec[int64] }

func (money2) Format() string        { return "money/2" }
func (money2) Reads(was string) bool { return was == "money/1" }

// Of long values a difference shows where they begin to differ, and a Reads that panics is the reason.
func TestDifferencesAreShown(t *testing.T) {
	long := strings.Repeat("field int64, ", 40)
	panics := Trait{Name: "values", Value: "money/2", Reads: func(string) bool { panic("oh") }}
	for _, c := range []struct {
		d    []Difference
		want string
	}{
		{[]Difference{{"values", "a", "b"}}, `values: was "a", is "b"`},
		{[]Difference{{"values", "", "b"}}, `values: was not set, is "b"`},
		{[]Difference{{"values", long + "n int32}", long + "n text}"}}, `values: was "...` + long[len(long)-58:] + `n int32}", is "...` + long[len(long)-58:] + `n text}"`},
		{[]Difference{{"values", "x" + long, "y"}}, `values: was "x` + long[:199] + `...", is "y"`},
		{Compare([]Trait{{Name: "values", Value: "money/1"}}, []Trait{panics}), `values: was "money/1", is "money/2 (of which Reads panicked: oh)"`},
	} {
		if len(c.d) != 1 || c.d[0].String() != c.want {
			t.Errorf("%v, want %s", c.d, c.want)
		}
	}
}
