package workload

import (
	"testing"
	"time"
)

// A paced load is no faster than its pace, and the same records.
func TestPace(t *testing.T) {
	c := embedded(t)
	gen, err := NewGen(Parameters{Keys: 10, ValueSize: 16, Rate: 1000, Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	const n, pace = 5 * paceStep, 20 * paceStep
	in, err := NewInput(gen, n, 2, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	done, err := Load{Cluster: c, Input: in, Topic: "paced", BatchBytes: 1000, Pace: pace}.Run(t.Context())
	if err != nil || done.Records != n+2 {
		t.Fatalf("%+v, %v", done, err)
	}
	if least := time.Duration(n-paceStep) * time.Second / pace; done.Took < least {
		t.Errorf("took %v, and at that pace it takes %v at least", done.Took, least)
	}
}
