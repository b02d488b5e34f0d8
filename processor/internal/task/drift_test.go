package task_test

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/millrace/millrace/processor/internal/graph"
	"github.com/millrace/millrace/processor/internal/task"
	"github.com/millrace/millrace/processor/stream"
	"github.com/millrace/millrace/windowing"
)

var drift100 = windowing.Ascending().MaxDrift(100 * time.Millisecond)

// joined merges two sources by rules of their own.
func joined(one, other windowing.Watermarks) func(*stream.Builder) {
	return func(b *stream.Builder) {
		stream.To(stream.From(b, left, stream.Watermark(one)).Merge(stream.From(b, right, stream.Watermark(other))), out)
	}
}

// A catchUp is a worker's tasks, aligned in each turn as the worker does it.
type catchUp struct {
	t     *testing.T
	tasks []*task.Task
	fed   map[*task.Task][]int64 // by input
	blind bool                   // nobody says where the inputs end
}

func newCatchUp(t *testing.T, cfgs ...task.Config) *catchUp {
	c := &catchUp{t: t, fed: map[*task.Task][]int64{}}
	for _, cfg := range cfgs {
		x := newTask(t, cfg)
		c.tasks = append(c.tasks, x)
		c.fed[x] = make([]int64, len(cfg.Inputs))
	}
	return c
}

func (c *catchUp) put(x, input int, times ...int64) {
	c.t.Helper()
	for _, at := range times {
		next := &c.fed[c.tasks[x]][input]
		feed(c.t, c.tasks[x], input, []graph.Message{{Key: []byte("k"), Value: fmt.Append(nil, at), Offset: *next, Timestamp: at}})
		*next++
	}
}

// tellEnds tells the tasks where their inputs end.
func (c *catchUp) tellEnds() {
	c.t.Helper()
	for _, x := range c.tasks {
		for i, end := range c.fed[x] {
			if !x.WantsEnd(i) {
				continue
			}
			if err := x.AtEnd(i, end, moment(1_000_000)); err != nil {
				c.t.Fatal(err)
			}
		}
	}
}

// turn aligns the tasks and lets each process up to limit records.
func (c *catchUp) turn(limit int) (done int) {
	c.t.Helper()
	if !c.blind {
		c.tellEnds()
	}
	lowest := int64(math.MaxInt64)
	for _, x := range c.tasks {
		lowest = min(lowest, x.Lowest(1_000_000))
	}
	for _, x := range c.tasks {
		x.Align(lowest)
		n, err := x.Step(1_000_000, limit)
		if err != nil {
			c.t.Fatal(err)
		}
		done += n
	}
	return done
}

// drained says that turn after turn something is processed until nothing waits.
func (c *catchUp) drained() bool {
	c.t.Helper()
	for c.turn(2) > 0 {
	}
	for _, x := range c.tasks {
		for i := range c.fed[x] {
			if x.Queued(i) > 0 {
				return false
			}
		}
	}
	return true
}

// TestAlignmentNeverHoldsEverything: an input that had nothing for a while is
// far behind another of its task when it goes on, and its next record is far
// ahead. One of the two goes on, whichever it is.
func TestAlignmentNeverHoldsEverything(t *testing.T) {
	plain := windowing.Ascending()
	for _, c := range []struct {
		name       string
		one, other windowing.Watermarks
		maxIdle    int64
	}{
		{"both aligned", drift100, drift100, -1},
		{"one aligned", plain, drift100, -1},
		{"the other aligned", drift100, plain, -1},
		{"both aligned, waiting for the empty", drift100, drift100, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg := config(t, joined(c.one, c.other))
			u := newCatchUp(t, cfg)
			u.put(0, 0, 100)
			u.turn(2)
			for at := int64(100); at <= 600; at += 100 { // the other one goes on alone
				u.put(0, 1, at)
				u.turn(2)
			}
			u.put(0, 1, 700, 800)
			u.put(0, 0, 1000) // behind its pause
			if !u.drained() {
				t.Errorf("nothing goes on; %d and %d records wait, lowest %d", u.tasks[0].Queued(0), u.tasks[0].Queued(1), u.tasks[0].Lowest(1_000_000))
			}
		})
	}
}

// TestAHeldInputLetsOthersOfItsTaskGoOn: it waits for another task of the worker;
// what has no MaxDrift, or is not ahead, does not wait with it.
func TestAHeldInputLetsOthersOfItsTaskGoOn(t *testing.T) {
	for name, rule := range map[string]windowing.Watermarks{"not aligned": windowing.Ascending(), "behind": drift100} {
		x := newTask(t, config(t, joined(drift100, rule)))
		feed(t, x, 0, messages(60, "a")) // at 600
		step(t, x)
		feed(t, x, 0, messages(61, "b"))
		feed(t, x, 1, messages(70, "c"))
		x.Align(100) // somebody else's
		if n := step(t, x); n != 1 || x.Queued(0) != 1 || x.Queued(1) != 0 {
			t.Errorf("%s: %d processed; %d held and %d others wait", name, n, x.Queued(0), x.Queued(1))
		}
	}
}

// TestATaskThatWaitsAlignsNobody: it cannot go on before a record comes that is
// on the broker, and when that takes long the others do not wait for it.
func TestATaskThatWaitsAlignsNobody(t *testing.T) {
	waits := config(t, joined(drift100, windowing.Ascending()))
	waits.MaxIdle = 0
	u := newCatchUp(t, waits, config(t, joined(drift100, drift100)))
	u.blind = true
	u.put(0, 0, 100) // and the other input of the task cannot be read
	u.turn(10)
	u.put(1, 0, 1000, 2000, 3000)
	u.tasks[0].Elapse(999)
	u.drained()
	if n := u.tasks[1].Queued(0); n != 2 { // the first shows that it is ahead
		t.Errorf("%d records wait for a task that may go on any moment", n)
	}
	u.tasks[0].Elapse(1000)
	u.drained()
	if n := u.tasks[1].Queued(0); n > 0 {
		t.Errorf("%d records wait for a task that cannot go on itself", n)
	}
	u.put(0, 1, 110)
	u.put(1, 0, 4000)
	if u.turn(10); u.tasks[1].Queued(0) == 0 {
		t.Error("the task goes on again, and nobody waits for it")
	}
	u.blind = false
	if !u.drained() {
		t.Error("something is left")
	}
}

// TestAHeadOfTheFutureDoesNotWait: it will not be believed, so it does not come
// behind everything that the other input has.
func TestAHeadOfTheFutureDoesNotWait(t *testing.T) {
	x := newTask(t, config(t, merged))
	feed(t, x, 0, []graph.Message{
		{Value: []byte("l100"), Timestamp: 100},
		{Value: []byte("future"), Offset: 1, Timestamp: 4_000_000_000_000},
		{Value: []byte("l200"), Offset: 2, Timestamp: 200},
	})
	feed(t, x, 1, []graph.Message{{Value: []byte("r150"), Timestamp: 150}, {Value: []byte("r250"), Offset: 1, Timestamp: 250}})
	if _, err := x.Step(1_000_000, 10); err != nil {
		t.Fatal(err)
	}
	if got, want := values(prepare(t, x), "out"), "l100 r150 l200 r250"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
