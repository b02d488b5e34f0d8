package state

// sortAll sorts all entries of a table. The result is valid until the next sort of the task.
func (c *cells[V]) sortAll(t *table[V]) []sorted {
	c.all = c.all[:0]
	for i := range t.entries {
		c.all = append(c.all, uint32(i))
	}
	return sortEntries(&c.stores.sorter, t, c.all)
}

// each calls fn for every live entry under a range of the engine, keys ascending: those of the table, and those the
// engine has beside them. skip is the length of what precedes the keys in the engine.
func (c *cells[V]) each(t *table[V], from, to []byte, skip int, fn func(key []byte, v *V) error) error {
	if c.stores.broken != nil {
		return c.stores.broken
	}
	// fn may read from the store, which may sort, and may add clean entries to the table: those come behind known. It
	// may also iterate, which must not change the value that this iteration shows.
	known, order, shown := len(t.entries), append(c.order[:0], c.sortAll(t)...), c.shown
	if shown == nil {
		shown = new(V)
	}
	c.order, c.shown = nil, nil
	defer func() { c.order, c.shown = order[:0], shown }()
	pending := order
	visit := func(i int) error {
		if t.entries[i].flags&flagAbsent != 0 {
			return nil
		}
		return fn(t.key(i), &t.entries[i].value)
	}
	show := func(below []byte, all bool) error {
		for len(pending) > 0 {
			i := int(pending[0].index)
			if !all && string(t.key(i)) > string(below) {
				return nil
			}
			pending = pending[1:]
			if err := visit(i); err != nil {
				return err
			}
		}
		return nil
	}
	if t.complete {
		return show(nil, true)
	}
	var failed error // of fn or a codec, to be told from one of the engine
	err := c.stores.engine.Scan(from, to, func(k, value []byte) error {
		key := k[skip:]
		if failed = show(key, false); failed != nil {
			return failed
		}
		if i := t.find(key, hashKey(key)); i >= 0 {
			if i >= known {
				failed = visit(i)
			}
			return failed
		}
		if *shown, failed = c.decode(key, value); failed != nil {
			return failed
		}
		failed = fn(key, shown)
		return failed
	})
	if failed != nil {
		return failed
	}
	if err != nil {
		return c.stores.fail("scan store "+c.store.spec.Name, err)
	}
	return show(nil, true)
}
