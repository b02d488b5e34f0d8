package windowing

import (
	"fmt"
	"time"

	"github.com/millrace/millrace/windowing/internal/grid"
)

// A Kind cuts event time into windows in a way of its own. It is a pure function of its parameters: the same for the
// same time whenever it is asked, without a clock, and safe for concurrent use.
type Kind interface {
	// Of appends the windows that ts is in to dst, earliest end first, and returns it; nothing if ts is in none. Each
	// contains ts. No two windows have the same end, wherever they start: a window is known by its last instant, and
	// asking for the windows of that instant must give it again.
	Of(dst []Window, ts EventTime) []Window
}

// Custom cuts time as kind says. A record that is in no window is in no open one, and is dropped as late, as is a
// record all of whose windows are closed.
func Custom(kind Kind) Windows { return Windows{kind: custom{kind}} }

// custom is a Kind from outside.
type custom struct{ Kind }

// checked is a kind that knows what may be wrong with it.
type checked interface {
	validate(offset time.Duration, complain func(string, ...any))
}

func (c custom) validate(_ time.Duration, complain func(string, ...any)) {
	if c.Kind == nil {
		complain("windowing: custom windows need a kind, got nil")
	}
}

// moved is a kind that applies an offset itself, where moving every bound by so many milliseconds would not do.
type moved interface{ offset(d time.Duration) Kind }

// kinds is the kind with the offset applied.
func (w Windows) kinds() Kind {
	if w.offset == 0 {
		return w.kind
	}
	if k, ok := w.kind.(moved); ok {
		return k.offset(w.offset)
	}
	return shifted{w.kind, w.offset.Milliseconds()}
}

// shifted is another kind, all bounds moved.
type shifted struct {
	kind Kind
	by   int64
}

func (s shifted) Of(dst []Window, ts EventTime) []Window {
	from := len(dst)
	dst = s.kind.Of(dst, grid.Plus(ts, -s.by))
	for i := range dst[from:] {
		win := &dst[from+i]
		win.Start, win.End = grid.Plus(win.Start, s.by), grid.Plus(win.End, s.by)
	}
	return dst
}

// checkOf reports where a kind has not kept to its contract.
func checkOf(ts EventTime, all []Window) error {
	for i, win := range all {
		if win.Start > ts || win.End <= ts {
			return fmt.Errorf("windowing: custom windows: the window [%d, %d) was given for the time %d, which is not in it; correct the Kind", win.Start, win.End, ts)
		}
		if i > 0 && win.End <= all[i-1].End {
			return fmt.Errorf("windowing: custom windows: for the time %d the end %d was given behind the end %d; ends must ascend; correct the Kind", ts, win.End, all[i-1].End)
		}
	}
	return nil
}

// ending is the window with this last instant. In a store that was written with another kind there may be none; then
// it is from the earliest start there is at that instant, so that what the store has is not lost.
func ending(k Kind, scratch []Window, instant EventTime) Window {
	win := Window{Start: instant, End: instant + 1}
	for _, w := range k.Of(scratch[:0], instant) {
		if w.End == win.End {
			return w
		}
		win.Start = min(win.Start, w.Start)
	}
	return win
}
