package windowing

import (
	"fmt"
	"strings"
	"time"

	"github.com/millrace/millrace/state"
)

// Traits are what the windows contribute to the meaning of a store's bytes: how time is cut, and when results are sent,
// for that decides which of what is kept has been sent before. With any grace what is kept is gone on with, see
// GraceBefore.
func Traits(d Definition) []state.Trait {
	windows, emission := describe(d)
	grace := int64(0)
	if g, ok := d.(interface{ GraceMillis() int64 }); ok {
		grace = g.GraceMillis()
	}
	return []state.Trait{
		graceOf(grace),
		{Name: "windows", Value: windows, Reads: func(was string) bool { return was == formerWords(d) }},
		{Name: "emission", Value: emission, Reads: func(was string) bool { return goesOn(d, was, emission) }},
	}
}

// withEarly ends the description of an emission that also sends early results.
const withEarly = " with early results"

// describe says in words what the windows are, and when results are sent.
func describe(d Definition) (windows, emission string) {
	early := time.Duration(0)
	switch w := d.(type) {
	case SessionWindows:
		windows, early = fmt.Sprintf("sessions with a gap of %v", w.gap), w.early
	case SlidingWindows:
		windows, early = fmt.Sprintf("sliding over %v", w.difference), w.early
	case Windows:
		windows, early = w.describe(), w.early
	}
	emission = d.Emission().String()
	if early != 0 {
		emission += withEarly
	}
	return windows, emission
}

func (w Windows) describe() string {
	switch k := w.kind.(type) {
	case nil:
		offset := time.Duration(w.grid().Offset) * time.Millisecond
		if w.advance == w.size {
			return fmt.Sprintf("tumbling, %v long, offset %v", w.size, offset)
		}
		return fmt.Sprintf("hopping, %v long, each %v, offset %v", w.size, w.advance, offset)
	case cumulative:
		return fmt.Sprintf("cumulative, in steps of %v up to %v, offset %v", k.step, k.size, w.offset%max(k.size, 1))
	case calendar:
		return fmt.Sprintf("calendar, each %v in %v, weeks from %v, offset %v", k.unit, placeWords(k.loc), k.first, w.offset)
	case unlimited:
		return fmt.Sprintf("unlimited from %d, offset %v", k.start, w.offset)
	case custom:
		return fmt.Sprintf("custom %s, offset %v", describeCustom(k.Kind), w.offset)
	}
	return fmt.Sprintf("%T", w.kind)
}

// placeWords is the name of a location. One of the tz database says all, such as Asia/Tokyo. A fixed zone may have any name,
// and Local is another place on another host: what their clocks show in winter and in summer goes with them.
func placeWords(loc *time.Location) string {
	name := loc.String()
	if name == "UTC" || strings.Contains(name, "/") {
		return name
	}
	winter, summer := time.Date(2000, time.January, 1, 0, 0, 0, 0, loc), time.Date(2000, time.July, 1, 0, 0, 0, 0, loc)
	return fmt.Sprintf("%s (%s in January, %s in July)", name, winter.Format("-07:00"), summer.Format("-07:00"))
}

// formerWords is what earlier versions said of windows, where it was something else.
func formerWords(d Definition) string {
	w, ok := d.(Windows)
	k, fixed := w.kind.(calendar)
	if !ok || !fixed {
		return ""
	}
	return fmt.Sprintf("calendar, unit %d in %v from weekday %d, offset %v", k.unit, k.loc, k.first, w.offset)
}

// describeCustom is what a custom kind says of itself, or the name of its type: two kinds of one type that cut
// differently are told apart by their String.
func describeCustom(k Kind) string {
	if s, ok := k.(fmt.Stringer); ok {
		return s.String()
	}
	return fmt.Sprintf("%T", k)
}

// goesOn reports whether an operator that sends results as is can go on with what one left that sent them as was,
// without losing a result or leaving one beside its successor.
//
// Who sends each change has sent all that is kept; who sends results at a close or on time has not, so from there no
// mode takes over that sends changes only. Finals are sent of all that is kept, whatever was sent before. Sessions that
// were sent on time are not marked as sent, so only the same mode can revoke them.
func goesOn(d Definition, was, is string) bool {
	from, to := strings.TrimSuffix(was, withEarly), strings.TrimSuffix(is, withEarly)
	each := func(mode string) bool { return mode == OnCommit.String() || mode == OnUpdate.String() }
	_, sessions := d.(SessionWindows)
	switch {
	case from == to, each(from):
		return true
	case each(to), to == OnTime.String():
		return false
	}
	return !sessions // from on time to on close
}

// layout names what a store of aligned windows has: windows, or panes.
const (
	layoutTrait   = "layout"
	layoutWindows = "windows"
	layoutPanes   = "panes"
)

// Layout is the trait that says whether a store of aligned windows has windows or panes. combines says that the
// aggregate can combine values gathered apart. What was kept as windows is gone on with as windows.
func (w Windows) Layout(combines bool) state.Trait {
	if combines && Combines(w) == nil {
		return state.Trait{Name: layoutTrait, Value: layoutPanes, Reads: func(was string) bool { return was == layoutWindows }}
	}
	return state.Trait{Name: layoutTrait, Value: layoutWindows}
}

// KeepsWindows decides, for a store that is open and restored, which of the layouts it goes on with, and reports whether
// that is windows although the trait says panes: because there are windows in it that an earlier version kept.
func KeepsWindows[A any](s *state.Stores, name string, layout state.Trait, store *state.WindowStore[state.Timestamped[A]]) bool {
	chosen := layout.Value
	if was, ok := s.KeptTrait(name, layoutTrait); ok && was == layoutWindows && len(store.Starts()) > 0 {
		chosen = layoutWindows
	}
	s.KeepTrait(name, layoutTrait, chosen)
	return chosen == layoutWindows
}
