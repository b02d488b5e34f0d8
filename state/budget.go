package state

import "sync/atomic"

// A budget is the memory that the open stores of one storage may use for decoded state. They have equal shares.
//
// What they do not use is lent to the engine's cache, but for a quarter. An entry takes two or three times the bytes
// that it takes in a cached block, and is found in a tenth of the time. So where not all fits the overlay is worth its
// memory if it has most of what is looked for, as where some keys come often; and if not, the cache is.
//
// Rejected: a fixed part for decoded values. In 256 MiB for 10 M keys, of which each is looked for as often as any
// other, a half made 93 k records/s and an eighth 108 k; where keys follow Zipf's law it was the other way round, 462 k
// with a half, 371 k with a quarter, 330 k with an eighth.
//
// Rejected: a block cache of its own. Pebble takes its memtables out of that: 8 tasks had used up 64 MB with them, and
// every read decoded its index, its filter and its block again, 73 k records/s over 10 M keys where one budget of 1 GiB
// makes 132 k.
type budget struct {
	total   int
	open    atomic.Int64                     // stores that share it
	reserve func(bytes int) (release func()) // takes back what was lent; nil if nothing is
}

// equal is what each of the open stores has.
func (b *budget) equal() int { return b.total / int(max(b.open.Load(), 1)) }

const (
	// modestPart of its share is what a task keeps whose overlay lacks most of what is looked for. The rest is lent.
	modestPart = 4
	// lentSteps is the number of steps in which a task takes back what is lent of its share.
	lentSteps = 64
	// judgedMin is the number of look-ups that say something about the next ones.
	judgedMin = 1000
)

// A share is the part of a budget that one task has. It belongs to the Stores' goroutine.
type share struct {
	*budget
	modest  bool
	judged  lookups // all of them when the share was judged last
	taken   int     // bytes that are not lent
	release func()  // lends them again; nil if taken is 0
}

// lookups counts what was looked for in overlays, and what of it had to be read from the engine.
type lookups struct{ all, read uint64 }

// limit is how much a task may keep now.
func (s *share) limit() int {
	if s.modest {
		return s.equal() / modestPart
	}
	return s.equal()
}

// excess says which part of a task's entries is to go, from 0 to 1: none while they fit into its share; what brings
// them to half of it where they do not, so that there is room until the next time.
func (s *share) excess(bytes int, seen lookups) float64 {
	if bytes > s.limit() {
		s.judge(seen)
	}
	if bytes <= s.limit() {
		return 0
	}
	return 1 - float64(s.limit())/2/float64(bytes)
}

// judge looks at what was looked for since the share was full the last time. A smaller overlay has less of it than a
// larger one, so what is right for the one is not wrong for the other, and a task does not go back and forth.
func (s *share) judge(seen lookups) {
	all := seen.all - s.judged.all
	if all < judgedMin {
		return
	}
	s.modest = 2*(seen.read-s.judged.read) > all
	s.judged = seen
}

// use sees to it that what a task uses of its share is not lent.
func (s *share) use(bytes int) {
	if s.reserve == nil {
		return
	}
	equal := s.equal()
	least := equal / modestPart
	step := max(equal/lentSteps, 1)
	taken := (min(max(bytes, least), equal) - least + step - 1) / step * step
	if taken == s.taken {
		return
	}
	s.lend()
	if taken > 0 {
		s.taken, s.release = taken, s.reserve(taken)
	}
}

// lend gives all of the share to the engine.
func (s *share) lend() {
	if s.release != nil {
		s.release()
	}
	s.taken, s.release = 0, nil
}
