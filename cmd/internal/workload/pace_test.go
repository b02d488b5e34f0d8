package workload

import (
	"testing"
	"time"
)

// A paced load writes the same records, each due when its pace says.
func TestPace(t *testing.T) {
	c := embedded(t)
	gen, err := NewGen(Parameters{Keys: 10, ValueSize: 16, Rate: 1000, Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	const n, pace = 5 * paceStep, 1000 * paceStep
	in, err := NewInput(gen, n, 2, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	l := Load{Cluster: c, Input: in, Topic: "paced", BatchBytes: 1000, Pace: pace}
	if done, err := l.Run(t.Context()); err != nil || done.Records != n+2 {
		t.Fatalf("%+v, %v", done, err)
	}
	l.Pace = 0
	if again, err := l.Run(t.Context()); err != nil || !again.Existed {
		t.Errorf("without a pace it writes something else: %+v, %v", again, err)
	}
	l.Pace = 500
	for seq, want := range map[int64]time.Duration{0: 0, 1: 2 * time.Millisecond, 90_000: 3 * time.Minute} {
		if got := l.due(seq); got != want {
			t.Errorf("record %d is due after %v, want %v", seq, got, want)
		}
	}
}
