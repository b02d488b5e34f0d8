package task

import (
	"testing"

	"github.com/millrace/millrace/processor/internal/graph"
	"github.com/millrace/millrace/windowing"
)

// An upstream task that was idle, and is there again with an older time, does
// not take the time of the edge back, nor does a restart in between.
func TestEdgeDoesNotGoBack(t *testing.T) {
	says := func(task int32, at windowing.EventTime, idle bool) *graph.Stamp {
		return &graph.Stamp{Task: task, Tasks: 2, Passed: graph.Time{Watermark: at, Idle: idle}}
	}
	e := newEdge("", windowing.NoTime, nil)
	e.take(says(0, 10, true), 1000)
	e.take(says(1, 50, false), 1000)
	if e.time.Watermark != 50 {
		t.Fatalf("with an idle task left out the time is %d, want 50", e.time.Watermark)
	}
	e.merge(1000 + idleLease)
	if e.time.Watermark != 50 {
		t.Errorf("when the lease is over the time is %d, want 50", e.time.Watermark)
	}
	again := newEdge("", e.time.Watermark, e.upstream())
	if again.time.Watermark != 50 {
		t.Errorf("restored, the time is %d, want 50", again.time.Watermark)
	}
	again.take(says(0, 60, false), 2000)
	again.take(says(1, 70, false), 2000)
	if again.time.Watermark != 60 {
		t.Errorf("with both there the time is %d, want 60", again.time.Watermark)
	}
}
