package state

import "sync/atomic"

// A budget is the memory that the open stores of one storage may use for clean, decoded state. They have equal shares.
type budget struct {
	total int
	open  atomic.Int64 // stores that share it
}

// share is the part of one task.
func (b *budget) share() int { return b.total / int(max(b.open.Load(), 1)) }

// excess says which part of a task's entries is to go, from 0 to 1: none while they fit into its share; what brings
// them to half of it where they do not, so that there is room until the next time.
func (b *budget) excess(bytes int) float64 {
	share := b.share()
	if bytes <= share {
		return 0
	}
	return 1 - float64(share)/2/float64(bytes)
}
