package windowing

import (
	"fmt"
	"testing"
)

// A firingStep is a record, if it has a text, and then a merged watermark; or a restart.
type firingStep struct {
	text   string
	ts, w  EventTime
	want   []string
	reopen bool
}

func runFirings(t *testing.T, w Definition, steps []firingStep) *keyedRig {
	t.Helper()
	r := newKeyedRig(t, w)
	for i, s := range steps {
		if s.reopen {
			r.commit()
			r.restart()
		}
		if s.text != "" && r.add(s.text[:1], s.text[1:], s.ts, s.w) {
			t.Errorf("step %d: %s is late", i, s.text)
		}
		r.advance(s.w)
		if got := fmt.Sprintf("%q", r.rows); got != fmt.Sprintf("%q", s.want) {
			t.Errorf("step %d (%s %d, watermark %d): sent %s, want %q", i, s.text, s.ts, s.w, got, s.want)
		}
		r.rows = nil
	}
	return r
}

// TestSessionsOnTime is the table of SEMANTICS.md.
func TestSessionsOnTime(t *testing.T) {
	r := runFirings(t, Session(10*ms).Grace(5*ms).Emit(OnTime), []firingStep{
		{text: "ka", ts: 0, w: 0},
		{text: "kb", ts: 5, w: 5},
		{w: 15},
		{w: 16, want: []string{"k[0,5]=ab@5"}},
		{text: "kc", ts: 3, w: 16, want: []string{"k[0,5]=abc@5"}},
		{text: "kd", ts: 12, w: 17},
		{w: 22, reopen: true}, // what is to be revoked is known after a restart
		{w: 23, want: []string{"k[0,5] gone@12", "k[0,12]=abcd@12"}},
		{text: "ke", ts: -4, w: 24, want: []string{"k[0,12] gone@12", "k[-4,12]=abcde@12"}, reopen: true},
		{text: "kf", ts: 25, w: 27},
		{w: 28},
		{w: 35},
		{w: 36, want: []string{"k[25,25]=f@25"}},
	})
	if passed := r.agg.Passed(); passed != 21 {
		t.Errorf("passed %d", passed)
	}
	if !r.add("k", "x", 12, 36) {
		t.Error("added to a closed session")
	}
}

// TestSessionsOnTimeAtOnce: a session whose end has been passed when it begins, two that become one, and a watermark
// that passes the end and the grace in one step.
func TestSessionsOnTimeAtOnce(t *testing.T) {
	runFirings(t, Session(10*ms).Grace(20*ms).Emit(OnTime), []firingStep{
		{text: "ka", ts: 25, w: 50, want: []string{"k[25,25]=a@25"}},
		{text: "kb", ts: 37, w: 50, want: []string{"k[37,37]=b@37"}},
		{text: "kc", ts: 31, w: 50, want: []string{"k[25,25] gone@37", "k[37,37] gone@37", "k[25,37]=abc@37"}},
		{text: "kd", ts: 45, w: 50},
		{text: "le", ts: 50, w: 50},
		{w: MaxTime, want: []string{"k[25,37] gone@45", "k[25,45]=abcd@45", "l[50,50]=e@50"}},
	})
}

// TestSessionsEarly is the table of SEMANTICS.md.
func TestSessionsEarly(t *testing.T) {
	runFirings(t, Session(30*ms).Emit(OnClose).Early(20*ms), []firingStep{
		{w: 0},
		{text: "ka", ts: 5, w: 19},
		{w: 20, want: []string{"k[5,5]=a@5"}},
		{text: "kb", ts: 25, w: 25},
		{w: 39, reopen: true},
		{w: 40, want: []string{"k[5,5] gone@25", "k[5,25]=ab@25"}},
		{w: 41, reopen: true},
		{text: "kc", ts: 60, w: 55}, // nothing twice
		{w: 60, want: []string{"k[5,25]=ab@25", "k[60,60]=c@60"}},
		{text: "kd", ts: 90, w: 90, want: []string{"k[60,60] gone@90", "k[60,90]=cd@90"}},
		{text: "ke", ts: 75, w: 91},
		{text: "lf", ts: 200, w: 99},
		{w: 175, want: []string{"k[60,90]=cde@90", "l[200,200]=f@200"}}, // past four multiples: once
		{w: 200},
		{w: MaxTime, want: []string{"l[200,200]=f@200"}},
	})
}

// TestSessionsEarlyAndOnTime: what was sent early is sent again on time, changed or not; then each change at once.
func TestSessionsEarlyAndOnTime(t *testing.T) {
	runFirings(t, Session(10*ms).Grace(20*ms).Emit(OnTime).Early(8*ms), []firingStep{
		{w: 0},
		{text: "ka", ts: 7, w: 8, want: []string{"k[7,7]=a@7"}},
		{w: 16},
		{w: 17},
		{w: 18, want: []string{"k[7,7]=a@7"}, reopen: true},
		{text: "kb", ts: 12, w: 19},
		{w: 22},
		{w: 24, want: []string{"k[7,7] gone@12", "k[7,12]=ab@12"}}, // its end and a multiple: once
		{text: "kc", ts: 11, w: 25, want: []string{"k[7,12]=abc@12"}},
		{text: "kd", ts: 20, w: 26},
		{w: 30},
		{text: "le", ts: 33, w: 39, want: []string{"k[7,12] gone@20", "k[7,20]=abcd@20", "l[33,33]=e@33"}},
	})
}

// TestSlidingOnTime is the table of SEMANTICS.md.
func TestSlidingOnTime(t *testing.T) {
	r := runFirings(t, Sliding(10*ms).Grace(5*ms).Emit(OnTime), []firingStep{
		{text: "ka", ts: 20, w: 20},
		{w: 21, want: []string{"k[10,20]=a@20"}},
		{text: "kb", ts: 18, w: 21, want: []string{"k[8,18]=b@18", "k[10,20]=ab@20"}},
		{w: 24, reopen: true},
		{text: "kc", ts: 20, w: 25, want: []string{"k[10,20]=abc@20"}},
		{w: 29},
		{w: 30, want: []string{"k[19,29]=ac@29"}},
		{text: "kd", ts: 29, w: 31, want: []string{"k[19,29]=acd@29"}},
		{w: 32, want: []string{"k[21,31]=d@31"}},
		{w: 1000},
	})
	if passed := r.agg.Passed(); passed != 995 {
		t.Errorf("passed %d", passed)
	}
}

// TestSlidingEarly is the table of SEMANTICS.md.
func TestSlidingEarly(t *testing.T) {
	runFirings(t, Sliding(50*ms).Grace(10*ms).Emit(OnClose).Early(20*ms), []firingStep{
		{w: 0},
		{text: "ka", ts: 5, w: 5},
		{w: 20, want: []string{"k[0,50]=a@20"}},
		{text: "kb", ts: 25, w: 39, reopen: true},
		{w: 45, want: []string{"k[0,50]=ab@40", "k[6,56]=b@40"}},
		{w: 52, reopen: true},
		{text: "lc", ts: 130, w: 53},
		{text: "kd", ts: 50, w: 59},
		{w: 60, want: []string{"k[0,50]=abd@50", "k[6,56]=bd@56", "k[26,76]=d@60", "l[80,130]=c@80"}},
		{w: 61, want: []string{"k[0,50]=abd@50"}},
		{w: MaxTime, want: []string{"k[6,56]=bd@56", "k[26,76]=d@76", "l[80,130]=c@130"}},
	})
	runFirings(t, Sliding(10*ms).Grace(9*ms).Emit(OnTime).Early(4*ms), []firingStep{
		{w: 0},
		{text: "ka", ts: 3, w: 4, want: []string{"k[0,10]=a@4"}},
		{w: 8},
		{w: 12, want: []string{"k[0,10]=a@10"}}, // its end and a multiple: once
		{text: "kb", ts: 6, w: 13, want: []string{"k[0,10]=ab@10"}},
		{w: 14},
		{w: 15, want: []string{"k[4,14]=b@14"}},
		{w: 40},
	})
}

// TestFiringOnTimeWritesNothing: what is sent on time follows from the watermark; only what has to be revoked, or is
// sent early, is written.
func TestFiringOnTimeWritesNothing(t *testing.T) {
	for _, w := range []Definition{Session(10 * ms).Grace(20 * ms).Emit(OnTime), Sliding(10 * ms).Grace(20 * ms).Emit(OnTime)} {
		r := newKeyedRig(t, w)
		r.add("k", "a", 20, 20)
		r.commit()
		r.advance(32)
		entries, err := r.stores.Prepare(nil, "")
		if err != nil || len(entries) != 1 || len(r.rows) != 1 {
			t.Errorf("%T: sent %q with %d writes, %v", w, r.rows, len(entries)-1, err)
		}
	}
}

// TestEarlyResultsOfVeryManyKeys: what is not remembered any more is looked for.
func TestEarlyResultsOfVeryManyKeys(t *testing.T) {
	for _, w := range []Definition{Session(50 * ms).Emit(OnClose).Early(20 * ms), Sliding(50 * ms).Emit(OnClose).Early(20 * ms)} {
		r := newKeyedRig(t, w)
		r.add("k", "a", 1, 1)
		r.advance(20)
		r.add("j", "b", 21, 21)
		var early *changes
		switch agg := r.agg.(type) {
		case *SessionAggregation[string]:
			early = &agg.course.early
		case *SlidingAggregation[string]:
			early = &agg.course.early
		}
		for i := range changesMax {
			early.note(0, fmt.Append(nil, i))
		}
		r.rows = nil
		if r.advance(40); len(r.rows) != 1 || early.all || len(early.noted) > 0 {
			t.Errorf("%T: sent %q", w, r.rows)
		}
		if due := r.agg.Due(); due < 41 {
			t.Errorf("%T: due at %d", w, due)
		}
	}
}
