package windowing

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace/schemaregistry/serde"
	"github.com/millrace/millrace/state"
)

// rig is an aggregation over a store in memory, whose values are the texts added, in order of arrival. It notes what
// is sent.
type rig struct {
	t       testing.TB
	windows Windows
	storage *state.Memory
	stores  *state.Stores
	agg     *Aggregation[string]
	panes   bool     // combine, with panes where that is possible; values are sorted
	text    string   // of the record being added
	rows    []string // sent, in order: "key[start,end)=value@time"
}

type row struct {
	win   Window
	key   string
	value string
	at    EventTime
}

func (r row) String() string {
	return fmt.Sprintf("%s[%d,%d)=%s@%d", r.key, r.win.Start, r.win.End, r.value, r.at)
}

// opener is a task that has stores.
type opener struct{ stores *state.Stores }

func (o opener) Stores() *state.Stores { return o.stores }

var handle = state.Windowed[state.Timestamped[string]]{Name: "windows", Value: state.TimestampedSerde(serde.String)}

func newRig(t testing.TB, w Windows) *rig {
	t.Helper()
	if err := w.Validate(); err != nil {
		t.Fatal(err)
	}
	r := &rig{t: t, windows: w, storage: state.NewMemory()}
	r.open()
	return r
}

func (r *rig) open() {
	r.t.Helper()
	stores, err := r.storage.Open("0_0", state.Identity{ApplicationID: "app", Task: "0_0"}, []state.Spec{handle.Spec()})
	if err != nil {
		r.t.Fatal(err)
	}
	r.stores = stores
	r.build()
}

// build makes the aggregation anew over the open stores, as a task does after an abort.
func (r *rig) build() {
	r.t.Helper()
	store, err := handle.Open(opener{r.stores})
	if err != nil {
		r.t.Fatal(err)
	}
	r.agg = NewAggregation(r.windows, store, r.fold, r.send)
	if r.panes {
		r.agg.Combining(Combine[string]{Values: func(acc, other string) string { return acc + other }})
	}
}

// sorted is a value whose texts, each ended by a point, are in order.
func sorted(value string) string {
	texts := strings.SplitAfter(value, ".")
	slices.Sort(texts)
	return strings.Join(texts, "")
}

func (r *rig) fold(acc *string, fresh bool) error {
	if fresh != (*acc == "") {
		return fmt.Errorf("fresh is %v, but the value is %q", fresh, *acc)
	}
	*acc += r.text
	return nil
}

func (r *rig) send(win Window, key []byte, v *state.Timestamped[string], at EventTime) error {
	out := row{win, string(key), v.Value, at}
	if r.panes {
		out.value = sorted(v.Value)
	}
	if at < r.agg.Passed() {
		return fmt.Errorf("%v is below the %d that was passed", out, r.agg.Passed())
	}
	r.rows = append(r.rows, out.String())
	return nil
}

// add adds a text and reports whether it was late.
func (r *rig) add(key, text string, ts, judged EventTime) bool {
	r.t.Helper()
	r.text = text
	late, err := r.agg.Add([]byte(key), ts, judged)
	if err != nil {
		r.t.Fatal(err)
	}
	return late
}

func (r *rig) advance(merged EventTime) {
	r.t.Helper()
	if err := r.agg.Advance(merged); err != nil {
		r.t.Fatal(err)
	}
}

// commit does what a task does at a commit.
func (r *rig) commit() {
	r.t.Helper()
	if err := r.agg.BeforeCommit(); err != nil {
		r.t.Fatal(err)
	}
	commitStores(r.t, r.stores, handle.Name)
}

// commitStores commits the one store as if its changelog had taken all entries.
func commitStores(t testing.TB, stores *state.Stores, name string) {
	t.Helper()
	entries, err := stores.Prepare(nil, "")
	if err != nil {
		t.Fatal(err)
	}
	next := int64(-1)
	if len(entries) > 0 {
		next = stores.ChangelogNext(name) + int64(len(entries))
	}
	if err := stores.Apply([]int64{next}, 0); err != nil {
		t.Fatal(err)
	}
}

// abort drops what was not committed.
func (r *rig) abort() {
	r.t.Helper()
	r.stores.Discard()
	r.build()
}

// restart closes the stores and opens them again: what was not committed is gone.
func (r *rig) restart() {
	r.t.Helper()
	if err := r.stores.Close(false); err != nil {
		r.t.Fatal(err)
	}
	r.open()
}

// expect compares what was sent since the last call.
func (r *rig) expect(want ...string) {
	r.t.Helper()
	if !slices.Equal(r.rows, want) {
		r.t.Errorf("sent %q, want %q", r.rows, want)
	}
	r.rows = nil
}

func (r *rig) closing() state.Closing {
	r.t.Helper()
	c, _ := r.agg.store.Closing()
	return c
}

func TestOnCloseSendsFinalsOnceInOrder(t *testing.T) {
	r := newRig(t, Tumbling(10*ms).Grace(5*ms).Emit(OnClose))
	r.add("b", "1", 12, 12)
	r.add("b", "2", 3, 12)
	r.add("a", "3", 4, 12)
	r.add("a", "4", 12, 14)
	r.advance(14)
	r.expect()
	if r.agg.Due() != 15 {
		t.Errorf("due at %d", r.agg.Due())
	}
	r.advance(15)
	r.expect("a[0,10)=3@9", "b[0,10)=2@9")
	r.commit()
	r.advance(15)
	r.advance(14)
	r.expect()
	r.advance(1000)
	r.expect("a[10,20)=4@19", "b[10,20)=1@19")
	r.commit()
	r.expect()
	if r.agg.Due() != MaxTime {
		t.Errorf("nothing is open, but due at %d", r.agg.Due())
	}
}

func TestOneAdvanceClosesManyWindowsEarliestFirst(t *testing.T) {
	r := newRig(t, Hopping(10*ms, 5*ms).Emit(OnClose))
	r.add("k", "x", 22, 0)
	r.add("k", "y", 7, 0)
	r.advance(100)
	r.expect("k[0,10)=y@9", "k[5,15)=y@14", "k[15,25)=x@24", "k[20,30)=x@29")
}

func TestOnUpdateSendsEachChange(t *testing.T) {
	r := newRig(t, Hopping(10*ms, 5*ms).Emit(OnUpdate))
	r.add("k", "x", 7, 7)
	r.add("k", "y", 6, 7)
	r.expect("k[0,10)=x@7", "k[5,15)=x@7", "k[0,10)=xy@7", "k[5,15)=xy@7")
	r.advance(100)
	r.commit()
	r.expect()
}

// TestFirstRecordNearZeroWithAnOffset: 0 is no start of the grid then.
func TestFirstRecordNearZeroWithAnOffset(t *testing.T) {
	r := newRig(t, Tumbling(10*ms).Offset(3*ms).Emit(OnUpdate))
	r.add("k", "a", 5, 5)
	r.add("k", "b", 12, 12)
	r.expect("k[3,13)=a@5", "k[3,13)=ab@12")
	r = newRig(t, Hopping(10*ms, 5*ms).Offset(3*ms).Emit(OnUpdate))
	r.add("k", "a", 2, 2)
	r.expect("k[-7,3)=a@2", "k[-2,8)=a@2")
}

func TestOnCommitSendsTheLastValue(t *testing.T) {
	r := newRig(t, Tumbling(10*ms))
	r.add("b", "1", 5, 5)
	r.add("b", "2", 3, 5)
	r.add("a", "3", 15, 15)
	r.expect()
	r.commit()
	r.expect("b[0,10)=12@5", "a[10,20)=3@15")
	r.commit()
	r.expect()
}

func TestOnCommitSendsWhatItClosesBeforeDroppingIt(t *testing.T) {
	r := newRig(t, Tumbling(10*ms))
	r.add("old", "1", 1, 1)
	r.commit()
	r.expect("old[0,10)=1@1")
	r.add("new", "2", 2, 2)
	r.add("next", "3", 12, 12)
	r.advance(12)
	r.expect("new[0,10)=2@2") // and "old" not again
	if starts := r.agg.store.Starts(); !slices.Equal(starts, []int64{10}) {
		t.Errorf("windows %v are left", starts)
	}
	r.commit()
	r.expect("next[10,20)=3@12")
}

func TestLatenessIsJudgedByTheChannel(t *testing.T) {
	w := Tumbling(10 * ms).Grace(5 * ms)
	tests := []struct {
		name       string
		ts, judged EventTime
		late       bool
	}{
		{"in time", 5, 5, false},
		{"no watermark", 5, NoTime, false},
		{"in grace, last instant", 0, 14, false},
		{"grace is over", 9, 15, true},
		{"next window", 10, 15, false},
		{"far behind", 0, 1_000_000, true},
		{"below zero", -3, -1, false},
		{"below zero, late", -3, 5, true},
		{"end of time", 5, MaxTime, true},
		{"last record of all", MaxTime - 1, MaxTime - 1, false},
		{"first record of all", NoTime + 1, NoTime + 1, false},
	}
	for _, tt := range tests {
		r := newRig(t, w.Emit(OnClose))
		if late := r.add("k", "x", tt.ts, tt.judged); late != tt.late {
			t.Errorf("%s: late is %v", tt.name, late)
		}
		if added := len(r.agg.store.Starts()); (added == 0) != tt.late {
			t.Errorf("%s: %d windows", tt.name, added)
		}
	}
}

// TestMergedIsHeldBackByAnotherChannel: the window is still in the store, yet the record is late by its own channel.
func TestMergedIsHeldBackByAnotherChannel(t *testing.T) {
	r := newRig(t, Tumbling(10*ms).Emit(OnClose))
	r.add("slow", "1", 3, 3)
	r.add("fast", "2", 25, 25)
	r.advance(3)
	if !r.add("fast", "3", 4, 25) {
		t.Error("accepted a record that its channel has left behind")
	}
	if r.add("slow", "4", 4, 4) {
		t.Error("refused a record of the slow channel")
	}
	r.advance(10)
	r.expect("slow[0,10)=14@9")
}

// TestMergedRunsAhead: where idleness let the merged watermark pass a channel, it counts, or the record would go into
// a window that has fired.
func TestMergedRunsAhead(t *testing.T) {
	r := newRig(t, Tumbling(10*ms).Emit(OnClose))
	r.add("k", "1", 3, 3)
	r.advance(10)
	r.expect("k[0,10)=1@9")
	if !r.add("k", "2", 4, 4) {
		t.Error("added to a window that has fired")
	}
	r.advance(35) // closes windows that have no values, too
	if !r.add("k", "3", 22, 4) {
		t.Error("added to a window that is closed")
	}
	r.advance(100)
	r.expect()
}

func TestPartlyClosedHopping(t *testing.T) {
	r := newRig(t, Hopping(10*ms, 5*ms).Emit(OnClose))
	if r.add("k", "x", 7, 10) { // [0,10) is closed, [5,15) open
		t.Error("late, though one window is open")
	}
	if !r.add("k", "y", 7, 15) {
		t.Error("not late, though both are closed")
	}
	r.advance(MaxTime)
	r.expect("k[5,15)=x@14")
}

func TestEndOfInput(t *testing.T) {
	for _, emit := range []Emit{OnClose, OnCommit, OnUpdate} {
		r := newRig(t, Tumbling(10*ms).Grace(100*ms).Emit(emit))
		r.add("a", "1", 5, 5)
		r.add("b", "2", 47, 40)
		r.advance(40)
		r.rows = nil
		r.advance(MaxTime)
		switch emit {
		case OnClose:
			r.expect("a[0,10)=1@9", "b[40,50)=2@49")
		case OnCommit:
			r.expect("a[0,10)=1@5", "b[40,50)=2@47")
		default:
			r.expect()
		}
		if passed := r.agg.Passed(); emit != OnCommit && passed != MaxTime {
			t.Errorf("%v: passed %d", emit, passed)
		}
		r.commit()
		r.expect()
		if passed := r.agg.Passed(); passed != MaxTime {
			t.Errorf("%v: passed %d", emit, passed)
		}
		if want := (state.Closing{Watermark: 40, Below: 50}); r.closing() != want {
			t.Errorf("%v: stored %+v, want %+v", emit, r.closing(), want)
		}
		r.restart()
		if want := (state.Closing{Watermark: 40, Below: 50}); r.closing() != want {
			t.Errorf("%v: restored %+v, want %+v", emit, r.closing(), want)
		}
		if !r.add("a", "3", 47, 40) {
			t.Errorf("%v: added to a window that the end has closed", emit)
		}
		r.advance(MaxTime)
		r.commit()
		r.expect()
		if starts := r.agg.store.Starts(); len(starts) > 0 {
			t.Errorf("%v: windows %v are back", emit, starts)
		}
	}
}

func TestEndOfInputWithoutAnything(t *testing.T) {
	r := newRig(t, Tumbling(10*ms).Emit(OnClose))
	r.advance(MaxTime)
	r.commit()
	r.expect()
	if c, ok := r.agg.store.Closing(); ok {
		t.Errorf("stored %+v", c)
	}
}

// TestLastWindowOfAll: its end is beyond the range; only the end of the input closes it, and nothing infinite is kept.
func TestLastWindowOfAll(t *testing.T) {
	r := newRig(t, Tumbling(10*ms).Emit(OnClose))
	r.add("k", "x", MaxTime-1, MaxTime-1)
	r.advance(MaxTime - 1)
	r.expect()
	r.advance(MaxTime)
	r.expect(fmt.Sprintf("k[%d,%d)=x@%d", 9223372036854775800, MaxTime, MaxTime-1))
	r.commit()
	if c := r.closing(); c.Below == math.MaxInt64 || c.Watermark == math.MaxInt64 || len(r.agg.store.Starts()) > 0 {
		t.Errorf("stored %+v with windows %v", c, r.agg.store.Starts())
	}
}

func TestPassed(t *testing.T) {
	tests := []struct {
		name   string
		w      Windows
		merged EventTime
		want   EventTime
	}{
		{"finals: less grace", Tumbling(10 * ms).Grace(3 * ms).Emit(OnClose), 28, 25},
		{"finals: no grace", Hopping(10*ms, 5*ms).Emit(OnClose), 28, 28},
		{"updates: the earliest open window", Tumbling(10 * ms).Emit(OnUpdate), 28, 20},
		{"updates: at its start", Tumbling(10 * ms).Emit(OnUpdate), 30, 30},
		{"updates: grace", Tumbling(10 * ms).Grace(3 * ms).Emit(OnUpdate), 32, 20},
		{"updates: hopping", Hopping(10*ms, 5*ms).Emit(OnUpdate), 28, 20},
		{"updates: nothing has closed yet", Tumbling(10 * ms).Emit(OnUpdate), 4, 0},
		{"finals: range", Tumbling(10 * ms).Grace(3 * ms).Emit(OnClose), NoTime + 2, NoTime},
		{"end", Tumbling(10 * ms).Grace(3 * ms).Emit(OnClose), MaxTime, MaxTime},
	}
	for _, tt := range tests {
		r := newRig(t, tt.w)
		if r.agg.Passed() != NoTime {
			t.Errorf("%s: passed %d before anything", tt.name, r.agg.Passed())
		}
		r.advance(tt.merged)
		if got := r.agg.Passed(); got != tt.want {
			t.Errorf("%s: at %d passed %d, want %d", tt.name, tt.merged, got, tt.want)
		}
		if tt.merged == MaxTime {
			continue
		}
		r.commit()
		r.restart()
		if got := r.agg.Passed(); got != tt.want {
			t.Errorf("%s: restored, passed %d, want %d", tt.name, got, tt.want)
		}
	}
}

func TestOnCommitPassesOnlyAtCommits(t *testing.T) {
	r := newRig(t, Tumbling(10*ms))
	r.add("k", "x", 3, 3)
	r.advance(3)
	r.commit()
	if r.agg.Passed() != 0 {
		t.Errorf("passed %d", r.agg.Passed())
	}
	r.advance(35)
	if r.agg.Passed() != 0 {
		t.Errorf("passed %d between commits", r.agg.Passed())
	}
	r.commit()
	if r.agg.Passed() != 30 {
		t.Errorf("passed %d", r.agg.Passed())
	}
}

// TestGoesOnAfterAbortAndRestart: what was not committed never happened; what was is not sent again.
func TestGoesOnAfterAbortAndRestart(t *testing.T) {
	for name, back := range map[string]func(*rig){"abort": (*rig).abort, "restart": (*rig).restart} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, Tumbling(10*ms).Emit(OnClose))
			r.add("k", "1", 3, 3)
			r.add("k", "2", 14, 14)
			r.advance(14)
			r.commit()
			r.expect("k[0,10)=1@9")
			r.add("k", "3", 15, 15)
			r.advance(25)
			r.expect("k[10,20)=23@19")
			back(r)
			if r.agg.Due() != 20 || r.agg.Passed() != 14 {
				t.Errorf("due %d, passed %d", r.agg.Due(), r.agg.Passed())
			}
			if !r.add("k", "4", 3, NoTime) {
				t.Error("added to a window that was closed before")
			}
			r.add("k", "3", 15, 15)
			r.advance(25)
			r.expect("k[10,20)=23@19")
		})
	}
}

func TestErrorsComeThrough(t *testing.T) {
	boom := errors.New("boom")
	for _, emit := range []Emit{OnClose, OnCommit, OnUpdate} {
		r := newRig(t, Tumbling(10*ms).Emit(emit))
		r.agg.emit = func(Window, []byte, *state.Timestamped[string], EventTime) error { return boom }
		r.text = "x"
		_, err := r.agg.Add([]byte("k"), 3, 3)
		if emit == OnUpdate {
			if !errors.Is(err, boom) {
				t.Errorf("%v: Add gave %v", emit, err)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if err := r.agg.Advance(10); !errors.Is(err, boom) {
			t.Errorf("%v: Advance gave %v", emit, err)
		}
		if err := r.agg.BeforeCommit(); emit == OnCommit && !errors.Is(err, boom) {
			t.Errorf("%v: BeforeCommit gave %v", emit, err)
		}
	}
	r := newRig(t, Tumbling(10*ms))
	r.agg.add = func(*string, bool) error { return boom }
	if _, err := r.agg.Add([]byte("k"), 3, 3); !errors.Is(err, boom) {
		t.Errorf("Add gave %v", err)
	}
	if err := r.stores.Close(false); err != nil {
		t.Fatal(err)
	}
	if _, err := r.agg.Add([]byte("other"), 33, 33); err == nil || !strings.Contains(err.Error(), "closed") {
		t.Errorf("Add to closed stores gave %v", err)
	}
}

// TestWindowsOfAnotherSizeAreNotLost: a store that was written with other windows is emptied by the new rule.
func TestWindowsOfAnotherSizeAreNotLost(t *testing.T) {
	r := newRig(t, Tumbling(10*ms).Emit(OnClose))
	r.add("k", "1", 11, 11)
	r.add("k", "2", 21, 11)
	r.advance(11)
	r.commit()
	r.windows = Tumbling(15 * ms).Emit(OnClose)
	r.restart()
	r.advance(34)
	r.expect("k[10,25)=1@24")
	r.advance(35)
	r.expect("k[20,35)=2@34")
}

func TestAddAllocatesNothing(t *testing.T) {
	for _, w := range []Windows{
		Tumbling(10 * ms), Hopping(10*ms, 3*ms).Emit(OnClose), Hopping(10*ms, 5*ms).Emit(OnUpdate), Hopping(10*ms, 4*ms).Emit(OnClose), // panes
		Cumulative(2*ms, 10*ms), Calendar(Day, time.UTC).Emit(OnUpdate), Unlimited(0), Tumbling(10 * ms).Emit(OnTime),
	} {
		store, err := counts.Open(opener{countStores(t)})
		if err != nil {
			t.Fatal(err)
		}
		agg := NewAggregation(w, store, count, discard)
		agg.Combining(sum)
		keys := [][]byte{[]byte("a"), []byte("b"), []byte("c")}
		at := EventTime(1000)
		step := func() {
			for _, k := range keys {
				if _, err := agg.Add(k, at, 1000); err != nil {
					t.Fatal(err)
				}
			}
			if err := agg.Advance(at - 100); err != nil {
				t.Fatal(err)
			}
			at = 1000 + (at+1)%7
		}
		for range 100 {
			step()
		}
		if n := testing.AllocsPerRun(100, step); n != 0 {
			t.Errorf("%+v: %v allocations", w, n)
		}
	}
}

var counts = state.Windowed[state.Timestamped[int64]]{Name: "counts", Value: state.TimestampedSerde(serde.Int64)}

func countStores(t testing.TB) *state.Stores {
	t.Helper()
	stores, err := state.NewMemory().Open("0_0", state.Identity{ApplicationID: "app", Task: "0_0"}, []state.Spec{counts.Spec()})
	if err != nil {
		t.Fatal(err)
	}
	return stores
}

func count(acc *int64, _ bool) error {
	*acc++
	return nil
}

func discard(Window, []byte, *state.Timestamped[int64], EventTime) error { return nil }
