package worker

import (
	"testing"

	"github.com/millrace/millrace/processor/internal/graph"
)

// Batches come back with room for what they are asked for, and empty.
func TestMessageSlabs(t *testing.T) {
	var s messageSlabs
	for _, n := range []int{0, 1, 2, 3, 1000, 2000} {
		if b := s.take(n); len(b) != 0 || cap(b) < n {
			t.Errorf("take(%d) has length %d and room for %d", n, len(b), cap(b))
		}
	}
	b := append(s.take(3), graph.Message{Key: []byte("k")})
	s.giveBack(b)
	if b[0].Key != nil {
		t.Error("what was given back still refers to its messages")
	}
	if again := s.take(4); cap(again) != cap(b) || &again[:1][0] != &b[0] {
		t.Error("a batch that was given back is not used again")
	}
	for range 3 * slabsKept {
		s.giveBack(make([]graph.Message, 1, 8))
	}
	if n := len(s.free[3]); n != slabsKept {
		t.Errorf("%d batches are kept, want %d", n, slabsKept)
	}
}
