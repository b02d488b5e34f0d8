//go:build planted

package task

import (
	"fmt"
	"strings"
	"testing"

	"github.com/millrace/millrace/processor/internal/graph"
	"github.com/millrace/millrace/state"
)

// A violation of what always holds is seen where it is made, and names its number.
func TestInvariantsAreChecked(t *testing.T) {
	batch := func(offsets ...int64) (b []graph.Message) {
		for _, o := range offsets {
			b = append(b, graph.Message{Offset: o})
		}
		return b
	}
	at := func(position, next int64) *Task {
		return &Task{inputs: []*input{{position: position, next: next, promised: state.Input{Offset: 5, Watermark: 50}}}}
	}
	commit := func(offset, watermark int64) *Commit {
		return &Commit{Offsets: []state.Input{{Offset: offset, Watermark: watermark}}}
	}
	for name, c := range map[string]struct {
		violate func()
		number  string // empty: nothing is violated
	}{
		"a batch":                              {func() { at(5, 5).inputs[0].mustAscend(batch(5, 6, 9), 10) }, ""},
		"an offset twice":                      {func() { at(5, 5).inputs[0].mustAscend(batch(5, 6, 6), 10) }, "G4"},
		"an offset that was handed over":       {func() { at(5, 7).inputs[0].mustAscend(batch(6), 10) }, "G4"},
		"a batch beyond its end":               {func() { at(5, 5).inputs[0].mustAscend(batch(5, 10), 10) }, "G4"},
		"a commit":                             {func() { at(7, 9).mustGoOn(commit(7, 50)) }, ""},
		"a commit that goes back":              {func() { at(4, 9).mustGoOn(commit(4, 50)) }, "I6"},
		"a commit of what was not handed over": {func() { at(9, 9).mustGoOn(commit(10, 50)) }, "I6"},
		"a watermark that goes back":           {func() { at(7, 9).mustGoOn(commit(7, 49)) }, "I8"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := violation(c.violate); !strings.HasPrefix(got, c.number) || (got == "") != (c.number == "") {
				t.Errorf("violated is %q, want %q", got, c.number)
			}
		})
	}
}

// violation is what a call says of the invariant it violates; empty if it violates none.
func violation(f func()) (text string) {
	defer func() {
		if p := recover(); p != nil {
			text, _ = strings.CutPrefix(fmt.Sprint(p), "invariant ")
		}
	}()
	f()
	return ""
}
