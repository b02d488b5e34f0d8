package windowing

import (
	"cmp"
	"maps"
	"slices"
	"time"
)

// course is what the aggregations over key-value stores have in common: how far time has come, which keys are to be
// looked at when, and how results that are due leave. T is what a result is sent from. It is no state: it follows from
// the store, its closing and the grace that it was kept with.
//
// What always holds: a key of which a result on time or a removal is due at a watermark is planned for one that is not
// higher; a key that has changed and waits for early results is noted, unless all are.
type course[T any] struct {
	mode      Emit
	merged    EventTime // highest merged watermark seen
	passed    EventTime
	passing   func(merged EventTime) EventTime         // what may be passed at a merged watermark
	closer    interface{ SetClosing(watermark int64) } // the store
	plan      schedule
	early     changes  // keys, under the number 0
	due, soon steps[T] // of what is planned, of early results

	firings []firing[T] // scratch
	keys    []string    // scratch: those to be settled
	key     []byte      // scratch
}

// steps are what is done at a watermark.
type steps[T any] struct {
	gather func(key string, merged EventTime) (settle bool, err error) // calls fire with what is due
	send   func(key []byte, of T, merged EventTime) error              // in order
	settle func(key string, merged EventTime) error                    // when all is sent
}

// firing is one result.
type firing[T any] struct {
	key   string
	order EventTime // by which results are sent, those of one time by key
	of    T
}

// start sets out from a store's closing.
func (c *course[T]) start(mode Emit, early time.Duration, closing EventTime) {
	c.mode, c.merged, c.passed = mode, closing, c.passing(closing)
	c.early.restart(early.Milliseconds(), closing)
}

// next is a watermark below which nothing is due; MaxTime if nothing is open.
func (c *course[T]) next() EventTime {
	if c.early.any() {
		return min(c.plan.due(), c.early.next)
	}
	return c.plan.due()
}

// advance does what a watermark has made due: first what is planned, then early results. After a start with a shorter
// grace that may be so at the same watermark as before.
func (c *course[T]) advance(merged EventTime) error {
	if merged < c.merged || merged == c.merged && (merged < c.next() || merged == MaxTime) {
		return nil
	}
	if merged >= c.plan.due() {
		if err := c.run(c.due, c.planned(merged), merged); err != nil {
			return err
		}
	}
	if c.early.any() && merged >= c.early.next && merged != MaxTime {
		if err := c.run(c.soon, c.noted(), merged); err != nil {
			return err
		}
	}
	c.merged = merged
	if merged != MaxTime {
		c.closer.SetClosing(int64(merged))
	}
	if c.mode != OnCommit {
		c.passed = c.passing(merged)
	}
	if c.early.every > 0 {
		c.early.advance(merged)
	}
	return nil
}

// reached reports whether the watermark has just come to a time that it had not reached before.
func (c *course[T]) reached(at, merged EventTime) bool { return c.merged < at && at <= merged }

// planned takes the keys that are to be looked at at a watermark.
func (c *course[T]) planned(merged EventTime) []string {
	c.keys = c.keys[:0]
	for {
		key, ok := c.plan.next(merged)
		if !ok {
			return c.keys
		}
		c.keys = append(c.keys, key)
	}
}

// noted returns the keys that have changed since the last early results, all where that is not known, and forgets them.
func (c *course[T]) noted() []string {
	all := c.early.all
	keys := c.early.take()
	if all {
		return slices.Sorted(maps.Keys(c.plan.planned))
	}
	for i := range keys {
		keys[i] = keys[i][8:] // behind the number
	}
	return keys
}

// run gathers what the keys have to send, sends it in order, and settles those keys that ask for it.
func (c *course[T]) run(s steps[T], keys []string, merged EventTime) error {
	c.firings = c.firings[:0]
	settle := 0
	for _, key := range keys {
		ok, err := s.gather(key, merged)
		if err != nil {
			return err
		}
		if ok {
			keys[settle] = key
			settle++
		}
	}
	slices.SortFunc(c.firings, func(x, y firing[T]) int {
		return cmp.Or(cmp.Compare(x.order, y.order), cmp.Compare(x.key, y.key))
	})
	for i := range c.firings {
		f := &c.firings[i]
		if err := s.send(c.bytes(f.key), f.of, merged); err != nil {
			return err
		}
	}
	if c.mode == OnCommit { // what is written here is sent in its order; that of the plan is another after a restart
		slices.Sort(keys[:settle])
	}
	for _, key := range keys[:settle] {
		if err := s.settle(key, merged); err != nil {
			return err
		}
	}
	clear(c.firings)
	clear(keys)
	return nil
}

// fire is called while gathering.
func (c *course[T]) fire(key string, order EventTime, of T) {
	c.firings = append(c.firings, firing[T]{key, order, of})
}

// bytes is a key as the store takes it, until the next call.
func (c *course[T]) bytes(key string) []byte {
	c.key = append(c.key[:0], key...)
	return c.key
}

// commit ends the interval of a commit, in which send sends what has changed.
func (c *course[T]) commit(send func() error) error {
	if c.mode != OnCommit {
		return nil
	}
	if err := send(); err != nil {
		return err
	}
	c.passed = c.passing(c.merged)
	return nil
}
