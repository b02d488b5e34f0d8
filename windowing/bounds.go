package windowing

import (
	"fmt"
	"time"
)

// bounds is what a serde of this package writes of a window behind its key: the start alone, for windows that are all
// of one size, or both bounds, for others. Serdes from elsewhere have none that are known.
type bounds struct {
	size time.Duration // of windows whose start says all; 0 where both bounds are written
}

// bounded is a serde that says what it writes.
type bounded interface{ bounds() bounds }

func (s keySerde[K]) bounds() bounds      { return bounds{size: s.size} }
func (sessionKeySerde[K]) bounds() bounds { return bounds{} }

// String names the serde that writes these bounds.
func (b bounds) String() string {
	if b.size == 0 {
		return "a SessionKeySerde, which writes both bounds of a window"
	}
	return fmt.Sprintf("a KeySerde of windows of %v, which writes their start alone", b.size)
}

// Misfit reports why keys of windowed results are not written as given, where results are the serdes they have, those of
// ResultKeySerde, of which there may be several behind a Merge: other windows would be read back, or several become one
// key. Windows of several kinds need both bounds. It is nil where nothing can be said, for a serde is not of this
// package; whether it is right for the windows is then its own business.
func Misfit(given any, results ...any) error {
	g, ok := given.(bounded)
	if !ok {
		return nil
	}
	need, several := []bounds(nil), false
	for _, r := range results {
		if r, ok := r.(bounded); ok {
			need = append(need, r.bounds())
			several = several || r.bounds() != need[0]
		}
	}
	for _, n := range need {
		if g.bounds() != n && !(several && g.bounds().size == 0) {
			return fmt.Errorf("the serde of the keys is %v, but the keys are of windows that need %v; give it %s", g.bounds(), n, remedy(several))
		}
	}
	return nil
}

func remedy(several bool) string {
	if several {
		return "SessionKeySerde: windows of several kinds come together here"
	}
	return "windowing.ResultKeySerde, or leave the Key of the topic nil, which takes the serde that the keys have"
}
