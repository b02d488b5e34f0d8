package windowing

import (
	"fmt"
	"testing"
)

func TestEarlyResults(t *testing.T) {
	r := newRig(t, Tumbling(100*ms).Grace(10*ms).Emit(OnClose).Early(20*ms))
	r.advance(0)
	r.add("b", "1", 5, 5)
	r.add("a", "2", 7, 7)
	r.advance(19)
	r.expect()
	if r.agg.Due() != 20 {
		t.Errorf("due at %d", r.agg.Due())
	}
	r.advance(20)
	r.expect("a[0,100)=2@20", "b[0,100)=1@20")
	r.advance(45)
	r.expect() // nothing has changed
	r.add("a", "3", 46, 45)
	r.add("a", "4", 130, 45)
	r.advance(95) // past three multiples: once
	r.expect("a[0,100)=23@80", "a[100,200)=4@100")
	r.add("b", "5", 99, 95)
	r.advance(105)
	r.expect("b[0,100)=15@99") // in grace, it stays in its window
	r.advance(110)
	r.expect("a[0,100)=23@99", "b[0,100)=15@99")
	r.advance(MaxTime)
	r.expect("a[100,200)=4@199")
}

// TestEarlyResultsAfterARestart: none is lost, though one may come twice.
func TestEarlyResultsAfterARestart(t *testing.T) {
	r := newRig(t, Tumbling(100*ms).Emit(OnClose).Early(20*ms))
	r.advance(1)
	r.add("a", "1", 5, 5)
	r.advance(20)
	r.add("b", "2", 6, 20)
	r.expect("a[0,100)=1@20")
	r.commit()
	r.restart()
	r.advance(40)
	r.expect("a[0,100)=1@40", "b[0,100)=2@40")
	r.advance(60)
	r.expect()
}

// TestEarlyResultsOfVeryManyChanges: what is not remembered any more counts as changed.
func TestEarlyResultsOfVeryManyChanges(t *testing.T) {
	r := newRig(t, Tumbling(1000*ms).Emit(OnClose).Early(20*ms))
	r.advance(1)
	r.add("a", "1", 5, 5)
	r.advance(20)
	r.rows = nil
	for i := range changesMax {
		r.agg.early.note(1, fmt.Append(nil, i))
	}
	r.add("b", "2", 21, 21)
	if len(r.agg.early.noted) != 0 || !r.agg.early.all {
		t.Errorf("%d changes are remembered", len(r.agg.early.noted))
	}
	r.advance(40)
	r.expect("a[0,1000)=1@40", "b[0,1000)=2@40")
}

func TestOnTime(t *testing.T) {
	r := newRig(t, Tumbling(10*ms).Grace(5*ms).Emit(OnTime))
	r.add("b", "1", 3, 3)
	r.add("a", "2", 4, 4)
	r.advance(9)
	r.expect()
	r.advance(10)
	r.expect("a[0,10)=2@9", "b[0,10)=1@9")
	r.add("a", "3", 8, 12)
	r.expect("a[0,10)=23@9")
	r.commit()
	r.restart() // it is still known that the window's end has been reached
	r.add("a", "4", 1, 14)
	r.expect("a[0,10)=234@9")
	if r.agg.Passed() != 5 {
		t.Errorf("passed %d", r.agg.Passed())
	}
	r.advance(15)
	r.expect()
	if !r.add("a", "5", 8, 15) {
		t.Error("added to a closed window")
	}
	r.add("a", "6", 17, 16)
	r.advance(1_000_000) // past end and grace at once: once
	r.expect("a[10,20)=6@19")
}

func TestOnTimeWithEarly(t *testing.T) {
	r := newRig(t, Tumbling(10*ms).Grace(5*ms).Emit(OnTime).Early(4*ms))
	r.advance(0)
	r.add("a", "1", 3, 3)
	r.advance(4)
	r.expect("a[0,10)=1@4")
	r.add("a", "2", 6, 6)
	r.advance(12) // the end, and a multiple: the result on time says it all
	r.expect("a[0,10)=12@9")
	r.add("a", "3", 6, 13)
	r.advance(14)
	r.expect("a[0,10)=123@9")
}
