package graph

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"github.com/millrace/millrace/state"
)

// The stamps of the version before said nothing of a format, and are read.
func TestStampOfBefore(t *testing.T) {
	was, err := hex.DecodeString("01" + "05" + "00000002" + "00000004" + "0000000000000007" + "0000000000000006" + hex.EncodeToString([]byte("run")))
	if err != nil {
		t.Fatal(err)
	}
	s, err := DecodeStamp(was)
	want := Stamp{Task: 2, Tasks: 4, Passed: Time{Watermark: 7, Idle: true}, Record: 6, Control: true, Run: []byte("run")}
	if err != nil || !reflect.DeepEqual(s, want) {
		t.Errorf("%+v, %v, want %+v", s, err, want)
	}
	again, err := DecodeStamp(s.Append(nil))
	if err != nil || !reflect.DeepEqual(again, want) {
		t.Errorf("written anew it is %+v, %v", again, err)
	}
}

func FuzzDecodeStamp(f *testing.F) {
	f.Add(Stamp{Task: 1, Tasks: 2, Record: -5}.Append(nil))
	f.Add(Stamp{Tasks: 1, Control: true, Format: 9, Words: []byte("words"), Run: []byte("run")}.Append(nil))
	f.Add([]byte{stampVersion1})
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := DecodeStamp(b)
		if err != nil {
			if !errors.Is(err, ErrStamp) {
				t.Errorf("%x: %v is not ErrStamp", b, err)
			}
			return
		}
		again, err := DecodeStamp(s.Append(nil))
		s.Run, again.Run = bytes.Clone(s.Run), bytes.Clone(again.Run)
		if err != nil || !reflect.DeepEqual(again, s) {
			t.Errorf("%+v became %+v, %v", s, again, err)
		}
	})
}

// A format reads itself and what its traits read, and says what has changed.
func TestFormatReads(t *testing.T) {
	words := func(keys, values string) string {
		return NewFormat(state.Trait{Value: keys}, state.Trait{Value: values}).Words()
	}
	f := NewFormat(state.Trait{Value: "string"}, state.Trait{Value: "money/2", Reads: func(was string) bool { return was == "money/1" }})
	for _, c := range []struct {
		was string
		why []string // none is read
	}{
		{words("string", "money/2"), nil},
		{words("string", "money/1"), nil},
		{words("string", "money/3"), []string{`values: was "money/3", is "money/2"`}},
		{words("int64", "money/1"), []string{`keys: was "int64", is "string"`}},
		{words("", ""), []string{"keys: was not set", "values: was not set"}},
		{words("strin", "gmoney/2"), []string{"keys", "values"}},
		{"", []string{"format"}},
		{"\xff", []string{"format"}},
		{pack([]byte("\x09short")), []string{"format"}},
		{pack(make([]byte, formatTextMax+1)), []string{"format"}},
	} {
		err := f.Reads(c.was)
		if (err == nil) != (len(c.why) == 0) {
			t.Errorf("%q: %v", c.was, err)
		}
		for _, w := range c.why {
			if err != nil && !strings.Contains(err.Error(), w) {
				t.Errorf("%q: %v does not say %s", c.was, err, w)
			}
		}
	}
}

// Words that are too many are left out, and the hash still tells formats apart. Those of a wide struct are not.
func TestFormatOfManyWords(t *testing.T) {
	var wide, noise strings.Builder
	r := rand.New(rand.NewPCG(1, 2))
	for i := range 600 {
		fmt.Fprintf(&wide, "field_%d string, ", i)
	}
	for range formatWordsMax {
		fmt.Fprintf(&noise, "%x", r.Uint64())
	}
	if f := NewFormat(state.Trait{}, state.Trait{Value: wide.String()}); f.Words() == "" || f.Reads(f.Words()) != nil {
		t.Errorf("a struct of 600 fields is told in %d bytes", len(f.Words()))
	}
	one, two := NewFormat(state.Trait{}, state.Trait{Value: noise.String()}), NewFormat(state.Trait{}, state.Trait{Value: noise.String() + "x"})
	if one.Words() != "" || two.Words() != "" || one.Hash() == two.Hash() || one.Hash() == 0 {
		t.Errorf("%d and %d bytes of words, hashes %x and %x", len(one.Words()), len(two.Words()), one.Hash(), two.Hash())
	}
}
