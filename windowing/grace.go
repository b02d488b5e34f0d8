package windowing

import (
	"strconv"

	"github.com/millrace/millrace/state"
	"github.com/millrace/millrace/windowing/internal/grid"
)

// A later version of an application may give windows another grace. What was closed stays closed, and what was passed
// downstream was passed by the grace of then: results that become due by a shorter one are judged by that, or they would
// be late behind the operator.

// graceTrait names the trait that keeps the grace, in ms. Any is gone on with.
const graceTrait = "grace"

func graceOf(millis int64) state.Trait {
	return state.Trait{Name: graceTrait, Value: strconv.FormatInt(millis, 10), Reads: func(string) bool { return true }}
}

// KeptGrace is the grace that a store was kept with, in ms; false if it is new, or that is not known.
func KeptGrace(s *state.Stores, name string) (millis int64, ok bool) {
	text, ok := s.KeptTrait(name, graceTrait)
	if !ok {
		return 0, false
	}
	millis, err := strconv.ParseInt(text, 10, 64)
	return millis, err == nil
}

// GraceBefore says with which grace, in ms, the store was kept. It is called before anything else but Combining. With a
// longer grace the windows that were closed must not begin anew, whether or not they had a value: the bound below which
// they were stays with the store.
func (a *Aggregation[A]) GraceBefore(millis int64) {
	then := a.grid
	then.Grace = millis
	switch grace := a.grid.Grace; {
	case a.merged == NoTime:
	case millis > grace:
		a.grid = then
		a.passed = a.passing(a.merged)
		a.grid.Grace = grace
		if a.panes != nil {
			a.panes.fired = then.OpenFrom(a.merged)
			a.findPanesDue(a.merged)
		}
	case millis < grace && then.OpenFrom(a.merged) > a.below:
		a.below = then.OpenFrom(a.merged)
		a.store.Drop(int64(a.below))
	}
}

// GraceBefore is that of Aggregation.
func (a *SessionAggregation[A]) GraceBefore(millis int64) {
	hold := a.hold
	a.hold = a.end + millis
	switch closed := a.passable(a.course.merged); {
	case a.hold > hold:
		a.course.passed = closed
	case a.hold < hold && closed > a.below:
		a.below = closed
		a.store.SetBelow(int64(closed))
	}
	a.hold = hold
}

// GraceBefore is that of SessionAggregation.
func (a *SlidingAggregation[A]) GraceBefore(millis int64) {
	hold := a.hold
	a.hold = a.end + millis
	switch closed := grid.Plus(a.course.merged, 1-a.hold); {
	case a.hold > hold:
		a.course.passed = a.passable(a.course.merged)
	case a.hold < hold && a.course.merged != NoTime && closed > a.below:
		a.below = closed
		a.store.SetBelow(int64(closed))
	}
	a.hold = hold
}
