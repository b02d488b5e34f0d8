package windowing

import (
	"errors"

	"github.com/millrace/millrace/state"
)

// errEnough ends an iteration early.
var errEnough = errors.New("windowing: enough seen")

// Advance tells the aggregation the merged watermark, after the records that moved it were added. Windows that it
// closes send what they still have to, earliest first, and are dropped: under OnClose each value once, in the order of
// the key bytes, at the last instant of its window; under OnCommit the values changed since the last commit. MaxTime
// says that the input has ended and closes all windows. A watermark that is not higher than before does nothing.
func (a *Aggregation[A]) Advance(merged EventTime) error {
	if merged <= a.merged {
		return nil
	}
	if merged >= a.due {
		if err := a.close(merged); err != nil {
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
	return nil
}

// close sends and drops what a watermark has closed.
func (a *Aggregation[A]) close(merged EventTime) error {
	below := a.closed(merged)
	var err error
	switch a.windows.emit {
	case OnClose:
		err = a.emitFinals()
	case OnCommit:
		err = a.emitBelow(below)
	}
	if err != nil {
		return err
	}
	a.store.Drop(int64(below))
	a.findEarliest()
	return nil
}

// closed lists the windows of the store that are closed at a watermark, and returns the bound below which windows are
// to be dropped. At the end of the input that is just behind the last window there is, so that it stays finite. It is
// never above a window that stays, not even one left over from windows of another size.
func (a *Aggregation[A]) closed(merged EventTime) (below EventTime) {
	a.starts = a.starts[:0]
	below = a.windows.OpenFrom(merged)
	for _, s := range a.store.Starts() {
		start := EventTime(s)
		if !a.windows.Closed(start, merged) {
			return min(below, start)
		}
		a.starts = append(a.starts, start)
	}
	if merged != MaxTime {
		return below
	}
	if n := len(a.starts); n > 0 {
		last := a.starts[n-1]
		return max(last+1, min(plus(last, a.step), MaxTime-1))
	}
	return a.below
}

func (a *Aggregation[A]) emitFinals() error {
	for _, start := range a.starts {
		a.closing = a.windows.Window(start)
		if err := a.store.Each(int64(start), a.final); err != nil {
			return err
		}
	}
	return nil
}

func (a *Aggregation[A]) emitFinal(key []byte, v *state.Timestamped[A]) error {
	return a.emit(a.closing, key, v, a.closing.End-1)
}

// emitBelow sends the values of windows that start below a bound and have changed since the last commit.
func (a *Aggregation[A]) emitBelow(bound EventTime) error {
	a.sent = bound
	if err := a.store.EachDirty(a.dirty); err != nil && !errors.Is(err, errEnough) {
		return err
	}
	return nil
}

func (a *Aggregation[A]) emitDirty(start int64, key []byte, v *state.Timestamped[A]) error {
	if EventTime(start) >= a.sent {
		return errEnough
	}
	return a.emit(a.windows.Window(EventTime(start)), key, v, EventTime(v.Time))
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
