package stack

import (
	"strings"
	"testing"
)

func deep(n int) Trace {
	if n == 0 {
		return Of(0)
	}
	return deep(n - 1)
}

// TestATraceSaysWhere, and no more than is kept.
func TestATraceSaysWhere(t *testing.T) {
	lines := strings.Split(strings.TrimSpace(deep(2).String()), "\n")
	if len(lines) < 4 || !strings.Contains(lines[0], "stack.deep") || !strings.Contains(lines[3], "TestATraceSaysWhere") {
		t.Errorf("the trace is %q", lines)
	}
	if n := len(deep(100)); n != framesKept {
		t.Errorf("%d frames", n)
	}
}
