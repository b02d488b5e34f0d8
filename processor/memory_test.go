package processor

import (
	"math"
	"testing"
)

// The memory for state follows what the process may use.
func TestDefaultStateMemory(t *testing.T) {
	for limit, want := range map[int64]int64{math.MaxInt64: 1 << 30, 4 << 30: 2 << 30, 1 << 20: minStateMemory} {
		if got := defaultStateMemory(limit); got != want {
			t.Errorf("with a limit of %d bytes it is %d, want %d", limit, got, want)
		}
	}
}
