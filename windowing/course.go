package windowing

import (
	"cmp"
	"maps"
	"slices"
)

// course is what the aggregations over key-value stores have in common: how far time has come, and which keys are to
// be looked at when. Nothing of it is state: it follows from the store and its closing.
//
// What always holds: a key of which a result on time or a removal is due at a watermark is planned for one that is not
// higher; a key that has changed and waits for early results is noted, unless all are.
type course struct {
	mode   Emit
	merged EventTime // highest merged watermark seen
	passed EventTime
	closer interface{ SetClosing(watermark int64) } // the store
	plan   schedule
	early  changes // keys, under the number 0
}

// A runner is an aggregation that follows a course.
type runner interface {
	fire(merged EventTime) error
	fireEarly(merged EventTime) error
	passing(merged EventTime) EventTime
}

// Due is a merged watermark below which Advance has nothing to send; MaxTime if nothing is open.
func (c *course) Due() EventTime {
	if c.early.any() {
		return min(c.plan.due(), c.early.next)
	}
	return c.plan.due()
}

// Passed is the watermark that holds behind the operator: no result still to come that is on time is below it.
func (c *course) Passed() EventTime { return c.passed }

// advance fires what a watermark has made due: first what is planned, then early results.
func (c *course) advance(merged EventTime, r runner) error {
	if merged <= c.merged {
		return nil
	}
	if merged >= c.plan.due() {
		if err := r.fire(merged); err != nil {
			return err
		}
	}
	if c.early.any() && merged >= c.early.next && merged != MaxTime {
		if err := r.fireEarly(merged); err != nil {
			return err
		}
	}
	c.merged = merged
	if merged != MaxTime {
		c.closer.SetClosing(int64(merged))
	}
	if c.mode != OnCommit {
		c.passed = r.passing(merged)
	}
	if c.early.every > 0 {
		c.early.advance(merged)
	}
	return nil
}

// reached reports whether the watermark has just come to a time that it had not reached before.
func (c *course) reached(at, merged EventTime) bool { return c.merged < at && at <= merged }

// noted returns the keys that have changed since the last early results, all where that is not known, and forgets them.
func (c *course) noted() []string {
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

// firings are results that are due, with the keys they are of.
type firings[T any] struct {
	due  []firing[T]
	keys []string // that were looked at
	key  []byte   // scratch
}

// firing is one result.
type firing[T any] struct {
	key   string
	order EventTime // by which results are sent, those of one time by key
	of    T
}

func (f *firings[T]) reset() {
	clear(f.due)
	clear(f.keys)
	f.due, f.keys = f.due[:0], f.keys[:0]
}

func (f *firings[T]) add(key string, order EventTime, of T) {
	f.due = append(f.due, firing[T]{key, order, of})
}

// each calls send with each result, in order, and then settle with each key. Keys are valid during the call.
func (f *firings[T]) each(send func(key []byte, of T) error, settle func(key string) error) error {
	slices.SortFunc(f.due, func(x, y firing[T]) int {
		return cmp.Or(cmp.Compare(x.order, y.order), cmp.Compare(x.key, y.key))
	})
	for i := range f.due {
		f.key = append(f.key[:0], f.due[i].key...)
		if err := send(f.key, f.due[i].of); err != nil {
			return err
		}
	}
	for _, key := range f.keys {
		if err := settle(key); err != nil {
			return err
		}
	}
	f.reset()
	return nil
}
