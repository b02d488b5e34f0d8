package task

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/millrace/millrace/processor/internal/graph"
	"github.com/millrace/millrace/state"
	"github.com/millrace/millrace/windowing"
)

// formatCalled is a format of values that reads these too.
func formatCalled(values string, reads ...string) *graph.Format {
	return graph.NewFormat(state.Trait{Value: "string"}, state.Trait{Value: values, Reads: func(was string) bool { return slices.Contains(reads, was) }})
}

func noteOf(f *graph.Format) FormatNote { return FormatNote{f.Hash(), f.Words()} }

// What is read is what a reader knows that it can read; what it has heard of survives in the metadata of the offset.
func TestFormatsAreHeard(t *testing.T) {
	one, two, three := formatCalled("1"), formatCalled("2", "1"), formatCalled("3")
	record := func(f *graph.Format) *graph.Stamp { return &graph.Stamp{Tasks: 1, Format: f.Hash()} }
	tells := func(f *graph.Format) *graph.Stamp {
		return &graph.Stamp{Tasks: 1, Format: f.Hash(), Words: []byte(f.Words()), Control: true}
	}
	f := newFormats(two, nil)
	heard := func(s *graph.Stamp) string {
		return map[bool]string{true: "read", false: "refused"}[f.hear(s) == nil]
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
		{&graph.Stamp{Tasks: 1, Format: three.Hash(), Control: true}, "read"}, // nothing is in it
		{tells(three), "refused"},
		{record(three), "refused"},
		{record(one), "read"},
	} {
		if got := heard(c.says); got != c.want {
			t.Errorf("stamp %d is %s, want %s", i, got, c.want)
		}
	}
	m, err := DecodeMeta(EncodeMeta(Meta{Formats: f.notes()}))
	if err != nil {
		t.Fatal(err)
	}
	if want := []FormatNote{noteOf(two), noteOf(three), noteOf(one)}; !slices.Equal(m.Formats, want) {
		t.Errorf("what is kept is %x, want %x", m.Formats, want)
	}
	if f = newFormats(two, m.Formats); heard(record(one)) != "read" || heard(record(three)) != "refused" {
		t.Error("the next owner of the task does not know what this one has heard")
	}
	refused := func(own *graph.Format) bool {
		return FormatRefused(own, Meta{Formats: []FormatNote{noteOf(two), noteOf(one)}}) != nil
	}
	if refused(two) || refused(formatCalled("4", "2", "1")) || refused(formatCalled("4", "2")) || !refused(one) {
		t.Error("what an offset says is not what its version reads")
	}
}

// A format that was forgotten and is announced again is remembered again, and none is forgotten before anybody who writes
// was heard.
func TestFormatsComeBack(t *testing.T) {
	one, two := formatCalled("1"), formatCalled("2", "1")
	tells := &graph.Stamp{Tasks: 1, Format: one.Hash(), Words: []byte(one.Words()), Control: true}
	f, nobody := newFormats(two, nil), newEdge("", windowing.NoTime, nil)
	for _, forgets := range []func(graph.FormatHash) bool{nobody.mayHold, func(graph.FormatHash) bool { return false }} {
		if err := f.hear(tells); err != nil {
			t.Fatal(err)
		}
		if want := []FormatNote{noteOf(two), noteOf(one)}; !slices.Equal(f.notes(), want) {
			t.Errorf("what is kept is %x, want %x", f.notes(), want)
		}
		f.forget(forgets)
	}
	if err := f.hear(&graph.Stamp{Tasks: 1, Format: one.Hash()}); err == nil {
		t.Error("a record in a format that was forgotten is read without its words")
	}
}

// What was written in a format is behind a reader once everybody who writes has gone on in another.
func TestFormatsAreForgotten(t *testing.T) {
	one, two := formatCalled("1"), formatCalled("2", "1")
	f, e := newFormats(two, []FormatNote{noteOf(two), noteOf(one)}), newEdge("", windowing.NoTime, make([]state.Upstream, 2))
	for _, c := range []struct {
		task int32
		in   *graph.Format
		kept int
	}{{0, two, 1}, {1, one, 1}, {1, two, 0}} {
		e.take(&graph.Stamp{Task: c.task, Tasks: 2, Format: c.in.Hash()}, 0)
		if f.forget(e.mayHold); len(f.heard) != c.kept {
			t.Errorf("after %+v %d are kept", c, len(f.heard))
		}
	}
}

// The list is bounded, and those that were met last are kept.
func TestFormatsAreBounded(t *testing.T) {
	f := newFormats(formatCalled("own"), nil)
	for i := range 10 {
		f.learn(noteOf(formatCalled(fmt.Sprint(i))))
	}
	f.learn(noteOf(formatCalled("8")))
	want := []string{"own", "8", "9", "7"}
	for i, n := range f.notes() {
		if n != noteOf(formatCalled(want[i])) {
			t.Errorf("note %d is %x, want that of %s", i, n, want[i])
		}
	}
	if len(f.notes()) != formatsKept {
		t.Errorf("%d are kept", len(f.notes()))
	}
}

// Where records of two formats come in turn, the serdes are asked once.
func TestFormatsAreAskedOnce(t *testing.T) {
	asked := 0
	one := formatCalled("1")
	own := graph.NewFormat(state.Trait{Value: "string"}, state.Trait{Value: "2", Reads: func(string) bool { asked++; return true }})
	f := newFormats(own, []FormatNote{noteOf(own), noteOf(one)})
	for i := range 10 {
		hash := own.Hash()
		if i%2 == 0 {
			hash = one.Hash()
		}
		if err := f.hear(&graph.Stamp{Format: hash}); err != nil {
			t.Fatal(err)
		}
	}
	if asked != 1 {
		t.Errorf("the serde was asked %d times", asked)
	}
}

// The metadata of an offset hold what has room, and all else first; of the own format the hash in any case.
func TestFormatsWithinMetadata(t *testing.T) {
	all := make([]state.Upstream, upstreamFits)
	for i := range all {
		all[i].Watermark = math.MaxInt64 / int64(i+1)
	}
	own, other := FormatNote{1, "own"}, FormatNote{2, "other"}
	large, bare := FormatNote{1, strings.Repeat("x", metaLimit)}, FormatNote{Hash: 1}
	full := Meta{Upstream: all, Run: strings.Repeat("r", 255), Notes: make([]Note, notesMax), TopicID: strings.Repeat("t", TopicIDSize)}
	full.Formats = []FormatNote{{1, strings.Repeat("x", 100)}, other}
	for name, c := range map[string]struct {
		m    Meta
		want []FormatNote
	}{
		"room for all":        {Meta{Formats: []FormatNote{own, other}}, []FormatNote{own, other}},
		"the second has none": {Meta{Formats: []FormatNote{own, large, other}}, []FormatNote{own, bare}},
		"the first has none":  {Meta{Formats: []FormatNote{large, other}}, []FormatNote{bare}},
		"as much as there is": {full, []FormatNote{bare}},
	} {
		text := EncodeMeta(c.m)
		m, err := DecodeMeta(text)
		if err != nil || len(text) > metaLimit || !slices.Equal(m.Formats, c.want) || len(m.Upstream) != len(c.m.Upstream) {
			t.Errorf("%s: %d bytes, %v; formats %+v and %d upstream tasks", name, len(text), err, m.Formats, len(m.Upstream))
		}
	}
	if FormatRefused(formatCalled("1"), Meta{Formats: []FormatNote{bare}}) == nil {
		t.Error("another format of which there are no words is not refused")
	}
}
