package task_test

import (
	"testing"
	"time"

	"github.com/millrace/millrace/processor/internal/graph"
	"github.com/millrace/millrace/processor/internal/task"
	"github.com/millrace/millrace/windowing"
)

const hour = 3_600_000 // ms

// moment is one at which both clocks say the same.
func moment(ms int64) task.Moment { return task.Moment{Wall: ms, Elapsed: ms} }

// TestASetWallClockMakesNoPartitionIdle, nor keeps it from being idle: that is a
// matter of how long it is at its end.
func TestASetWallClockMakesNoPartitionIdle(t *testing.T) {
	for name, set := range map[string]int64{"set back": -hour, "set forward": hour} {
		x := newTask(t, config(t, idle)) // after 50 ms
		feed(t, x, 0, []graph.Message{{Key: []byte("k"), Value: []byte("v"), Timestamp: 1000}})
		answer := func(at task.Moment) bool {
			if err := x.AtEnd(0, 1, at); err != nil {
				t.Fatal(err)
			}
			if err := x.Tick(at.Elapsed); err != nil {
				t.Fatal(err)
			}
			return x.Time().Inputs[0].Runs
		}
		step(t, x)
		at := moment(10_000_000)
		answer(at)
		at.Wall += set
		if at.Elapsed += 49; answer(at) {
			t.Errorf("%s: idle too early", name)
		}
		if at.Elapsed++; !answer(at) {
			t.Errorf("%s: not idle", name)
		}
		if got, want := x.Time().Inputs[0].Watermark, windowing.EventTime(at.Wall-20); got != want {
			t.Errorf("%s: the time that follows the clock is %d, want %d", name, got, want)
		}
		at.Wall -= 7000 // what the clock showed once holds
		if answer(at); x.Time().Inputs[0].Watermark != windowing.EventTime(at.Wall+7000-20) {
			t.Errorf("%s: the time has gone back with the clock", name)
		}
	}
}

// TestASetWallClockKeepsLeases: what an upstream task said of being idle is
// believed for as long as ever, and said again as often, whatever the wall clock
// shows.
func TestASetWallClockKeepsLeases(t *testing.T) {
	for name, set := range map[string]int64{"set back": -hour, "set forward": hour} {
		r := newRelay(t, nothingFirst(windowing.Ascending().Idle(500*time.Millisecond)))
		at := moment(10_000_000)
		ask := func() {
			for p, x := range r.first {
				if x.WantsEnd(0) && p == 0 {
					if err := x.AtEnd(0, r.fed[p], at); err != nil {
						t.Fatal(err)
					}
				}
				if err := x.Tick(at.Elapsed); err != nil {
					t.Fatal(err)
				}
			}
			if err := r.reader.Tick(at.Elapsed); err != nil {
				t.Fatal(err)
			}
		}
		r.put(0, "quiet", 1000, at.Elapsed)
		r.put(1, "busy", 1000, at.Elapsed)
		ask()
		at.Elapsed += 500
		ask()
		r.commit(0, at.Elapsed)
		r.commit(1, at.Elapsed)
		idle := func() bool { return r.reader.Time().Inputs[0].Upstream[0].Idle }
		if !idle() {
			t.Fatalf("%s: the reader was not told", name)
		}
		at.Wall += set
		at.Elapsed += 4999
		if ask(); r.first[0].Dirty() {
			t.Errorf("%s: the lease is renewed too early", name)
		}
		at.Elapsed++
		if ask(); !r.first[0].Dirty() {
			t.Errorf("%s: the lease is not renewed", name)
		}
		at.Elapsed += 9999 // and the commit does not come
		if ask(); !idle() {
			t.Errorf("%s: the lease is over too early", name)
		}
		at.Elapsed++
		if ask(); idle() {
			t.Errorf("%s: the lease has no end", name)
		}
	}
}
