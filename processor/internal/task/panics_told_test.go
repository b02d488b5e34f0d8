package task_test

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace/processor/internal/graph"
	"github.com/millrace/millrace/processor/internal/task"
	"github.com/millrace/millrace/processor/stream"
	"github.com/millrace/millrace/windowing"
)

// panicsIn is user code that panics in as many ways as there are values.
func panicsIn(value string) string {
	switch value {
	case "index":
		return value[len(value):][1:]
	case "library":
		return strings.Repeat(value, -1)
	}
	panic(fmt.Errorf("cannot cope with %q", value))
}

// TestTheDeadLetterOfAPanicSaysWhereItWas: the fingerprint of two is the same if
// they come from one place, and the stack has a header of its own.
func TestTheDeadLetterOfAPanicSaysWhereItWas(t *testing.T) {
	x := newTask(t, config(t, func(b *stream.Builder) {
		b.DeadLetter("dead")
		stream.To(stream.MapValues(stream.From(b, left), panicsIn), out)
	}))
	feed(t, x, 0, messages(0, "index", "library", "other", "another"))
	step(t, x)
	c := prepare(t, x)
	checkAccounts(t, c)
	if len(c.Outputs) != 4 {
		t.Fatalf("%d dead letters", len(c.Outputs))
	}
	prints := map[string]int{}
	for _, l := range c.Outputs {
		h := map[string]string{}
		for _, x := range l.Headers {
			h[x.Key] = string(x.Value)
		}
		prints[h["__millrace.errors.fingerprint"]]++
		if op := h["__millrace.errors.operator"]; !strings.HasPrefix(op, "task_test.panicsIn panics_told_test.go:") {
			t.Errorf("%s: operator %q", l.Value, op)
		}
		if !strings.HasPrefix(h["__streams.errors.exception"], "panic(") {
			t.Errorf("%s: exception %q", l.Value, h["__streams.errors.exception"])
		}
		if m := h["__streams.errors.message"]; !strings.HasPrefix(m, "panic: ") || strings.Contains(m, "\n") {
			t.Errorf("%s: message %q", l.Value, m)
		}
		if s := h["__streams.errors.stacktrace"]; !strings.Contains(s, "task_test.panicsIn ") {
			t.Errorf("%s: stack %q", l.Value, s)
		}
	}
	if len(prints) != 3 {
		t.Errorf("fingerprints %v, want those of three places", prints)
	}
}

// closing has user code behind a window that panics over each result.
func closing(b *stream.Builder) {
	b.SkipErrors()
	windows := stream.Window(stream.GroupByKey(stream.From(b, left)), windowing.Tumbling(time.Minute).Emit(windowing.OnClose))
	finals := stream.CountWindows("per-minute", windows).Results
	stream.To(stream.Map(finals, func(k windowing.Key[string], n int64) (string, string) {
		panicsIn(k.Key)
		return k.Key, ""
	}, stream.Name("format")), out)
}

// TestAPanicAsAWindowClosesNamesWhoFired, and says what to do.
func TestAPanicAsAWindowClosesNamesWhoFired(t *testing.T) {
	x := newTask(t, config(t, closing))
	feed(t, x, 0, []graph.Message{
		{Key: []byte("k"), Value: []byte("v"), Timestamp: 1}, {Key: []byte("k"), Value: []byte("v"), Offset: 1, Timestamp: 10 * 60_000},
	})
	_, err := x.Step(math.MaxInt64, 10)
	if scope, _ := task.Classify(err); err == nil || scope != task.TaskScope {
		t.Fatalf("the error is %v", err)
	}
	for _, want := range []string{
		`task 0_0: operator "per-minute", while emitting what was due: `, `operator "task_test.panicsIn panics_told_test.go:`, "panic: cannot cope",
		"no record is to blame, so the error policy does not cover it: correct operator",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the error does not say %q: %v", want, err)
		}
	}
}

// TestAPoisonNamesItsTaskAndStopsNothing: what an application is told of a record
// that is going to be settled gives no advice for one that stops it.
func TestAPoisonNamesItsTaskAndStopsNothing(t *testing.T) {
	cfg := config(t, counted)
	cfg.ID = task.ID{Subtopology: 2, Partition: 3}
	x := newTask(t, cfg)
	feed(t, x, 0, messages(0, "bad"))
	_, err := x.Step(math.MaxInt64, 1)
	_, poison := task.Classify(err)
	for _, err := range []error{err, poison.Err()} {
		if text := err.Error(); !strings.HasPrefix(text, `task 2_3: topic "left" partition 0 offset 0: operator `) || strings.Contains(text, "set an error policy") {
			t.Errorf("the error is %q", text)
		}
	}
}
