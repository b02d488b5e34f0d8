package windowing

import (
	"errors"

	"github.com/millrace/millrace/state"
	"github.com/millrace/millrace/windowing/internal/grid"
)

// errEnough ends an iteration early.
var errEnough = errors.New("windowing: enough seen")

// Advance tells the aggregation the merged watermark, after the records that moved it were added. What has become due
// is sent: under OnClose each value of a window that it closes, once; under OnTime each value of a window whose end it
// has reached; both in the order of the key bytes, at the last instant of the window; under OnCommit the values of
// windows that it closes, as far as they have changed since the last commit. Earlier windows come first. Then early
// results are sent, if it is time, and closed windows are dropped. MaxTime says that the input has ended and closes all
// windows. A lower watermark than before does nothing; nor does the same, unless something is due at it, as after a start
// with a shorter grace.
func (a *Aggregation[A]) Advance(merged EventTime) error {
	if merged < a.merged || merged == a.merged && (merged < a.due || merged == MaxTime) {
		return nil
	}
	if merged >= a.due {
		fire := a.fire
		if a.panes != nil {
			fire = a.firePanes
		}
		if err := fire(merged); err != nil {
			return err
		}
	}
	a.merged = merged
	if merged != MaxTime {
		a.store.SetClosing(int64(merged))
	}
	if a.windows.emit != OnCommit {
		a.passed = a.passing(merged)
	}
	if a.early.every > 0 {
		a.early.advance(merged)
	}
	return nil
}

// fire sends what a watermark has made due, and drops what it has closed.
func (a *Aggregation[A]) fire(merged EventTime) error {
	below := a.closed(merged)
	var err error
	switch a.windows.emit {
	case OnClose:
		err = a.emitFinals()
	case OnTime:
		a.ended(merged)
		err = a.emitFinals()
	case OnCommit:
		err = a.emitBelow(below)
	}
	if err != nil {
		return err
	}
	a.store.Drop(int64(below))
	if merged >= a.early.next && merged != MaxTime {
		if err := a.emitEarly(merged); err != nil {
			return err
		}
	}
	a.findDue(merged)
	return nil
}

// closed lists the windows of the store that are closed at a watermark, and returns the bound below which windows are
// to be dropped. At the end of the input that is just behind the last window there is, so that it stays finite. It is
// never above a window that stays, not even one left over from windows of another size.
func (a *Aggregation[A]) closed(merged EventTime) (below EventTime) {
	a.starts = a.starts[:0]
	below = a.grid.OpenFrom(merged)
	for _, s := range a.store.Starts() {
		start := EventTime(s)
		if merged < a.grid.Due(start) {
			return min(below, start)
		}
		a.starts = append(a.starts, start)
	}
	if merged != MaxTime {
		return below
	}
	if n := len(a.starts); n > 0 {
		last := a.starts[n-1]
		return max(last+1, min(grid.Plus(last, a.step), MaxTime-1))
	}
	return a.below
}

// ended lists the windows of the store whose end a watermark has reached and the one before had not.
func (a *Aggregation[A]) ended(merged EventTime) {
	a.starts = a.starts[:0]
	for _, s := range a.store.Starts() {
		if end := grid.Plus(EventTime(s), a.size); end > a.merged && end <= merged {
			a.starts = append(a.starts, EventTime(s))
		}
	}
}

func (a *Aggregation[A]) emitFinals() error {
	for _, number := range a.starts {
		a.closing = a.window(number)
		if err := a.store.Each(int64(number), a.final); err != nil {
			return err
		}
	}
	return nil
}

// emitFinal sends one value at the last instant of its window. A window that reaches to the end of time has none: its
// values are as of the last watermark before that.
func (a *Aggregation[A]) emitFinal(key []byte, v *state.Timestamped[A]) error {
	at := a.closing.End - 1
	if a.closing.End == MaxTime {
		at = max(EventTime(v.Time), a.merged)
	}
	return a.emit(a.closing, key, v, at)
}

// emitBelow sends the values of windows with numbers below a bound that have changed since the last commit.
func (a *Aggregation[A]) emitBelow(bound EventTime) error {
	a.sent = bound
	if err := a.store.EachDirty(a.dirty); err != nil && !errors.Is(err, errEnough) {
		return err
	}
	return nil
}

func (a *Aggregation[A]) emitDirty(number int64, key []byte, v *state.Timestamped[A]) error {
	if EventTime(number) >= a.sent {
		return errEnough
	}
	return a.emit(a.window(EventTime(number)), key, v, EventTime(v.Time))
}

// BeforeCommit ends the interval of a commit: under OnCommit it sends the values changed since the last one, windows
// ascending, at the highest time of their records, and then passes the watermark of this moment. Under the other modes
// it does nothing. It is called once for each commit, after the last Advance and before the store is encoded.
func (a *Aggregation[A]) BeforeCommit() error {
	if a.windows.emit != OnCommit {
		return nil
	}
	if err := a.emitBelow(MaxTime); err != nil {
		return err
	}
	a.passed = a.passing(a.merged)
	return nil
}
