package task

import (
	"testing"

	"github.com/millrace/millrace/processor/internal/graph"
	"github.com/millrace/millrace/state"
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

// What is brought up is read at once, and an upstream task that was idle at one time in it need not be so at the next:
// it was started anew, and the operators that were there had not heard of it. So it holds back.
func TestNobodyIsIdleToACatchUp(t *testing.T) {
	n := &node{recipe: &graph.Node{Internal: true, Watermarks: windowing.Ascending()}}
	e := newInput(Input{Watermark: int64(windowing.NoTime)}, n, "", &state.Input{Offset: 9}).edge
	for _, s := range []*graph.Stamp{
		{Task: 0, Tasks: 2, Passed: graph.Time{Watermark: 10, Idle: true}},
		{Task: 1, Tasks: 2, Passed: graph.Time{Watermark: 10, Idle: true}},
		{Task: 1, Tasks: 2, Passed: graph.Time{Watermark: 500}},
	} {
		e.take(s, 1000)
	}
	if e.time.Watermark != 10 || e.time.Idle {
		t.Errorf("the time is %+v, want 10", e.time)
	}
}

// Upstream tasks that are no more hold nothing back, and new ones are waited
// for, also when the one that says how many there are has nothing new to say of
// itself.
func TestEdgeFollowsTheNumberOfUpstreamTasks(t *testing.T) {
	idle := func(task int32, at windowing.EventTime) *graph.Stamp {
		return &graph.Stamp{Task: task, Tasks: 2, Passed: graph.Time{Watermark: at, Idle: true}}
	}
	for name, c := range map[string]struct {
		restored []state.Upstream
		idle     []*graph.Stamp
		says     graph.Stamp
		want     graph.Time
	}{
		"the slowest is gone": {
			restored: []state.Upstream{{Watermark: 500}, {Watermark: 600}, {Watermark: 100}},
			says:     graph.Stamp{Tasks: 2, Passed: graph.Time{Watermark: 510}},
			want:     graph.Time{Watermark: 510},
		},
		"only the ended are left": {
			restored: []state.Upstream{{Watermark: 500, Ended: true}, {Watermark: 600, Ended: true}, {Watermark: 100}},
			says:     graph.Stamp{Tasks: 2, Passed: graph.Time{Watermark: 500, Ended: true}},
			want:     graph.Time{Watermark: 600, Ended: true},
		},
		"one more than the idle": {
			idle: []*graph.Stamp{idle(0, 500), idle(1, 600)},
			says: graph.Stamp{Tasks: 3, Passed: graph.Time{Watermark: 500, Idle: true}},
			want: graph.Time{Watermark: 600},
		},
	} {
		t.Run(name, func(t *testing.T) {
			e := newEdge("", windowing.NoTime, c.restored)
			for _, s := range c.idle {
				e.take(s, 1000)
			}
			if moved := e.take(&c.says, 1000); !moved || e.time != c.want {
				t.Errorf("moved %v, to %+v; want %+v", moved, e.time, c.want)
			}
		})
	}
}
