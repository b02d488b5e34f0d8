package state

import (
	"fmt"
	"math"

	"github.com/millrace/millrace/schemaregistry/serde"
)

// An entry of a store goes to the changelog as one record: it has to be encoded, and the topic has to take it. What does
// not fit shows in Prepare, long after the record that it comes of. Check looks for it behind each record instead, and
// costs an encoding of all that the record has changed: it is for those who know from a Prepare that there is something
// to find.

// SetLimit says how many bytes key and value of an entry may have together in the changelog of a store; there is no limit
// at first. A larger one fails in Prepare and Check, with ErrTooLarge.
func (s *Stores) SetLimit(store string, bytes int) {
	if st := s.find(store); st != nil {
		st.limit = bytes
	}
}

// Check reports what Prepare would of the entries that were changed since Mark: an EntryError for one that cannot be
// committed. What it finds may be taken back with Undo.
func (s *Stores) Check() error {
	for _, o := range s.journal.overlays {
		if err := o.check(); err != nil {
			return err
		}
	}
	return nil
}

// check encodes the entries that the journal has.
func (c *cells[V]) check() error {
	for k := range c.noted {
		if err := c.checkEntry(c.noted[k].table, int(c.noted[k].index)); err != nil {
			return err
		}
	}
	return nil
}

func (c *cells[V]) checkEntry(t *table[V], i int) error {
	e := &t.entries[i]
	if e.flags&flagAbsent != 0 {
		return nil
	}
	value, err := c.length(e.value)
	if err = c.store.fits(c.store.keySize(t.key(i)), value, err); err != nil {
		return c.store.misfit(t.key(i), err)
	}
	return nil
}

// checkedRetained bounds the bytes that Check keeps room for: an entry that is as large as a changelog usually takes, and
// one that is too large.
const checkedRetained = 4 << 20

// length is how many bytes the encoding of a value has, or why it has none.
func (c *cells[V]) length(v V) (n int, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = panicked(p)
		}
	}()
	if sizer, ok := c.codec.(serde.Sizer[V]); ok {
		if n := sizer.Size(v); n > c.store.limit {
			return n, nil
		}
	}
	out, err := c.codec.Append(c.stores.checked[:0], v)
	if cap(out) <= checkedRetained {
		c.stores.checked = out
	}
	return len(out), err
}

// keySize is the size that a key of a table has in the changelog.
func (st *store) keySize(key []byte) int {
	if st.spec.Kind == Window {
		return 1 + startSize + len(key)
	}
	return 1 + len(key)
}

// noLimit is the limit of a store whose changelog is not known.
const noLimit = math.MaxInt

// fits reports what is wrong with an entry of which a codec has made so many bytes with this error.
func (st *store) fits(key, value int, err error) error {
	switch {
	case err != nil:
		return fmt.Errorf("%w: %w", ErrEncode, err)
	case key+value > st.limit:
		return fmt.Errorf("%w: it has %d bytes, and key and value may have %d: raise max.message.bytes of the changelog, or keep less in one value", ErrTooLarge, key+value, st.limit)
	}
	return appended(value)
}

// appended reports what is wrong with a codec that has appended so many bytes.
func appended(n int) error {
	if n < 0 {
		return fmt.Errorf("%w: Append of its codec returned less than it was given; it must append", ErrEncode)
	}
	return nil
}

func panicked(p any) error { return fmt.Errorf("the codec panics: %v", p) }

// misfit is an EntryError for the entry of a key.
func (st *store) misfit(key []byte, err error) error {
	return &EntryError{Store: st.spec.Name, Err: fmt.Errorf("value of key %.40x: %w", key, err)}
}
