package state

// sizes is the mean of how large the values of a store are when encoded. It stands in for the size of a value that
// never was, which is all that tells a commit of large new values from one of small ones before it is encoded.
type sizes struct{ sum, count int }

const (
	// sampleEvery is how many new values are taken to be of the mean until one of them is encoded to see.
	sampleEvery = 64
	// sizesWeight is how many samples weigh as much as the commit before: few, for what comes may be of another kind.
	sizesWeight = 2
)

func (s *sizes) add(size int) { s.sum, s.count = s.sum+size, s.count+1 }

// mean is 0 while nothing is known.
func (s *sizes) mean() int { return s.sum / max(s.count, 1) }

// guess is the likely size of a value that became dirty and was never encoded. What it encodes, now and then, is the
// value that became dirty before: the entry's own is yet to be filled in.
func (c *cells[V]) guess(t *table[V]) int {
	if c.fresh++; c.fresh%sampleEvery == 0 || c.sizes.count == 0 {
		c.sample(t)
	}
	return c.likely
}

// learn takes over what is known of the sizes. The mean is kept, for it is asked for more often than it changes.
func (c *cells[V]) learn(known sizes) { c.sizes, c.likely = known, known.mean() }

func (c *cells[V]) sample(t *table[V]) {
	if len(t.dirty) < 2 {
		return
	}
	e := &t.entries[t.dirty[len(t.dirty)-2]]
	if e.flags&flagAbsent != 0 {
		return
	}
	// A codec that fails fails in Prepare too, which says for which key; here another record would be blamed.
	defer func() { _ = recover() }()
	if b, err := c.codec.Append(c.stores.value[:0], e.value); err == nil {
		c.stores.value = b
		known := c.sizes
		known.add(len(b))
		c.learn(known)
	}
}
