//go:build synctests

package sim

import (
	"math/rand/v2"
	"sync"
	"time"
)

// dice is a seeded source of random numbers that several goroutines share. Each
// part of a run has one of its own, so that a change in one part does not
// change what the others draw.
type dice struct {
	mu sync.Mutex
	r  *rand.Rand
}

func newDice(seed uint64, part string) *dice {
	h := seed
	for _, c := range []byte(part) {
		h = h*1099511628211 ^ uint64(c)
	}
	return &dice{r: rand.New(rand.NewPCG(seed, h))}
}

// hit is true with probability p.
func (d *dice) hit(p float64) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.r.Float64() < p
}

// below returns a number in [0, n).
func (d *dice) below(n int) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.r.IntN(n)
}

// between returns a number in [low, high].
func (d *dice) between(low, high int) int { return low + d.below(high-low+1) }

// upTo returns a duration in [0, most).
func (d *dice) upTo(most time.Duration) time.Duration {
	return time.Duration(d.below(int(most/time.Millisecond)+1)) * time.Millisecond
}

func pick[T any](d *dice, of ...T) T { return of[d.below(len(of))] }
