package graph

import (
	"errors"
	"strings"
	"testing"
)

// A bomb panics with another of itself when it is shown.
type bomb struct{}

func (bomb) Error() string { panic(bomb{}) }

// Whatever user code panics with, or returns, has a text.
func TestFailuresHaveTexts(t *testing.T) {
	for name, f := range map[string]*RecordError{
		"panic": NewEnv(nil).Panicked("op", bomb{}),
		"error": {Operator: "op", Phase: PhaseProcess, Err: bomb{}},
		"inner": {Operator: "op", Phase: PhaseProcess, Err: errors.Join(bomb{}, errors.New("x"))},
	} {
		if text := f.Error(); !strings.Contains(text, `operator "op"`) {
			t.Errorf("%s: %q", name, text)
		}
		if r := f.Report(); r.Message == "" || r.Kind == "" {
			t.Errorf("%s: %+v", name, r)
		}
	}
}
