package worker

import (
	"math/bits"

	"github.com/millrace/millrace/processor/internal/graph"
)

// slabsKept bounds the free slabs of one size.
const slabsKept = 64

// messageSlabs are the batches in which records are handed to tasks. A batch is
// the task's until its queue is empty; then it comes back and is used again. It
// belongs to the worker's goroutine.
type messageSlabs struct {
	free [32][][]graph.Message // by the power of two of their capacity
}

// take returns an empty batch with room for n.
func (s *messageSlabs) take(n int) []graph.Message {
	class := bits.Len(uint(max(n, 1) - 1))
	if f := s.free[class]; len(f) > 0 {
		s.free[class] = f[:len(f)-1]
		return f[len(f)-1]
	}
	return make([]graph.Message, 0, 1<<class)
}

// giveBack takes a batch that nobody refers to any more, and lets go of what it
// refers to.
func (s *messageSlabs) giveBack(b []graph.Message) {
	class := bits.Len(uint(cap(b) - 1))
	if len(s.free[class]) < slabsKept {
		clear(b)
		s.free[class] = append(s.free[class], b[:0])
	}
}
