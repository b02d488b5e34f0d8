package task

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/millrace/millrace/processor/internal/graph"
	"github.com/millrace/millrace/state"
)

// formatCalled is a format of values that reads these too.
func formatCalled(values string, reads ...string) *graph.Format {
	return graph.NewFormat(state.Trait{Value: "string"}, state.Trait{Value: values, Reads: func(was string) bool { return slices.Contains(reads, was) }})
}

// What is read is what a reader knows that it can read; what it has heard of survives in the metadata of the offset.
func TestFormatsAreHeard(t *testing.T) {
	one, two, three := formatCalled("1"), formatCalled("2", "1"), formatCalled("3")
	record := func(f *graph.Format) *graph.Stamp { return &graph.Stamp{Tasks: 1, Format: f.Hash()} }
	tells := func(f *graph.Format) *graph.Stamp {
		return &graph.Stamp{Tasks: 1, Format: f.Hash(), FormatText: []byte(f.Text()), Control: true}
	}
	f := newFormats(two, nil)
	heard := func(s *graph.Stamp) string {
		err := f.hear(s)
		if err != nil && !errors.Is(err, graph.ErrFormat) {
			t.Fatal(err)
		}
		return map[bool]string{true: "read", false: "refused"}[err == nil]
	}
	for i, c := range []struct {
		says *graph.Stamp
		want string
	}{
		{record(two), "read"},
		{&graph.Stamp{Tasks: 1}, "read"}, // of a version that did not say
		{record(one), "refused"},         // in which words?
		{tells(one), "read"},
		{record(one), "read"},
		{record(two), "read"},
		{tells(three), "read"}, // nothing is in it
		{record(three), "refused"},
		{record(one), "read"},
	} {
		if got := heard(c.says); got != c.want {
			t.Errorf("stamp %d is %s, want %s", i, got, c.want)
		}
	}
	m, err := DecodeMeta(EncodeMeta(Meta{Formats: f.texts()}))
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{two.Text(), three.Text(), one.Text()}; !slices.Equal(m.Formats, want) {
		t.Errorf("what is kept is %q, want %q", m.Formats, want)
	}
	if f = newFormats(two, m.Formats); heard(record(one)) != "read" || heard(record(three)) != "refused" {
		t.Error("the next owner of the task does not know what this one has heard")
	}
	if FormatRefused(two, m) != nil || FormatRefused(formatCalled("4", "2"), m) != nil || FormatRefused(one, m) == nil {
		t.Error("what an offset says is not what its version reads")
	}
}

// The list is bounded, and those that were met last are kept.
func TestFormatsAreBounded(t *testing.T) {
	f := newFormats(formatCalled("own"), nil)
	for i := range 10 {
		f.learn(formatCalled(fmt.Sprint(i)).Text())
	}
	f.learn(formatCalled("8").Text())
	want := []string{"own", "8", "9", "7"}
	for i, text := range f.texts() {
		if text != formatCalled(want[i]).Text() {
			t.Errorf("text %d is %q, want that of %s", i, text, want[i])
		}
	}
	if len(f.texts()) != formatsKept {
		t.Errorf("%d texts are kept", len(f.texts()))
	}
}

// The metadata of an offset hold what has room, and all else first.
func TestFormatsWithinMetadata(t *testing.T) {
	all := make([]state.Upstream, upstreamFits)
	for i := range all {
		all[i].Watermark = math.MaxInt64 / int64(i+1)
	}
	own, large := formatCalled("own").Text(), formatCalled(strings.Repeat("x", metaLimit)).Text()
	for name, c := range map[string]struct {
		m    Meta
		want []string
	}{
		"room for all":             {Meta{Formats: []string{own, own}}, []string{own, own}},
		"the second has none":      {Meta{Formats: []string{own, large, own}}, []string{own}},
		"the first has none":       {Meta{Formats: []string{large, own}}, nil},
		"nothing has, among notes": {Meta{Formats: []string{large[:200]}, Upstream: all, Run: strings.Repeat("r", 255), Notes: make([]Note, notesMax), TopicID: strings.Repeat("t", TopicIDSize)}, nil},
	} {
		text := EncodeMeta(c.m)
		m, err := DecodeMeta(text)
		if err != nil || len(text) > metaLimit || !slices.Equal(m.Formats, c.want) || len(m.Upstream) != len(c.m.Upstream) {
			t.Errorf("%s: %d bytes, %v; %d formats and %d upstream tasks", name, len(text), err, len(m.Formats), len(m.Upstream))
		}
	}
}
