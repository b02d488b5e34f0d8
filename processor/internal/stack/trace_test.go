package stack

import (
	"strings"
	"testing"
)

func deep(k *Traces, n int) *Told {
	if n == 0 {
		return k.Of(0)
	}
	return deep(k, n-1)
}

// TestATraceSaysWhere, and no more than is kept.
func TestATraceSaysWhere(t *testing.T) {
	var k Traces
	lines := strings.Split(strings.TrimSpace(deep(&k, 2).String()), "\n")
	if len(lines) < 4 || !strings.Contains(lines[0], "stack.deep") || !strings.Contains(lines[3], "TestATraceSaysWhere") {
		t.Errorf("the trace is %q", lines)
	}
	if n := len(deep(&k, 100).trace); n != framesKept {
		t.Errorf("%d frames", n)
	}
}

// TestATraceIsToldOnce: what comes from a place again is not put into words again, as long as not too many others came
// meanwhile.
func TestATraceIsToldOnce(t *testing.T) {
	var k Traces
	from := func(n int) *Told { return deep(&k, n) }
	first := make([]*Told, tracesKept+1)
	for range 3 {
		for n := range tracesKept {
			told := from(n)
			if first[n] == nil {
				first[n] = told
			}
			if told != first[n] {
				t.Errorf("%d deep is told again", n)
			}
		}
	}
	for n := range tracesKept {
		for m := range n {
			if first[n] == first[m] {
				t.Errorf("%d deep is taken for %d", n, m)
			}
		}
	}
	from(tracesKept) // instead of the one that came first
	if from(0) == first[0] {
		t.Error("more are known than there is room for")
	}
}
