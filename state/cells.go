package state

import (
	"fmt"
	"unsafe"

	"github.com/millrace/millrace/schemaregistry/serde"
)

// cells is what key-value and window stores share: how an entry of a table is looked up, loaded from the engine,
// marked dirty and encoded. It belongs to the Stores' goroutine.
type cells[V any] struct {
	stores  *Stores
	store   *store
	codec   serde.Codec[V]
	sizes   sizes    // of the values
	likely  int      // their mean
	fresh   uint     // values that became dirty and were never encoded
	scratch V        // a value that Peek shows without keeping it
	all     []uint32 // scratch of sortAll
	order   []sorted // buffer of each; nil while an iteration has it
	shown   *V       // a value that each shows without keeping it; nil while an iteration has it

	noted  []notedEntry[V] // in the journal
	listed bool            // among those that the journal has to visit
	shape  shape           // of V
	entry  overlay         // the store itself
}

// slot returns the index of a live, dirty entry for key, made with the zero value if the store has none; i is the
// entry that the table has for it, or -1. start is the part of the engine key between store id and key, if windowed.
func (c *cells[V]) slot(t *table[V], i int, start int64, windowed bool, key []byte, hash uint32) (int, bool, error) {
	if i < 0 {
		var err error
		if i, err = c.load(t, start, windowed, key, hash); err != nil {
			return 0, false, err
		}
	}
	existed := t.entries[i].flags&flagAbsent == 0
	c.note(t, i)
	if !existed {
		var zero V
		t.fill(i, zero, 0)
	}
	c.dirty(t, i)
	return i, existed, nil
}

// load makes the entry for a key that the table does not have, with what the engine has for it or absent.
func (c *cells[V]) load(t *table[V], start int64, windowed bool, key []byte, hash uint32) (int, error) {
	s := c.stores
	if s.broken != nil {
		return 0, s.broken
	}
	var v V
	size, ok := 0, false
	if !t.complete {
		var err error
		if v, size, ok, err = c.read(start, windowed, key); err != nil {
			return 0, err
		}
	}
	i, err := t.insert(key, hash)
	if err != nil {
		return 0, fmt.Errorf("state: store %q: %w", c.store.spec.Name, err)
	}
	if ok {
		t.fill(i, v, size)
	}
	return i, nil
}

// read reads one value from the engine.
func (c *cells[V]) read(start int64, windowed bool, key []byte) (v V, size int, ok bool, err error) {
	s := c.stores
	s.reads++
	s.key = appendStoreID(s.key[:0], c.store.id)
	if windowed {
		s.key = appendStart(s.key, start)
	}
	s.key = append(s.key, key...)
	b, ok, err := s.engine.Get(s.value[:0], s.key)
	s.value = b
	if err != nil {
		return v, 0, false, s.fail("read store "+c.store.spec.Name, err)
	}
	if !ok {
		return v, 0, false, nil
	}
	v, err = c.decode(key, b)
	return v, len(b), err == nil, err
}

func (c *cells[V]) decode(key, b []byte) (V, error) {
	v, err := c.codec.Decode(b)
	if err != nil {
		return v, fmt.Errorf("state: store %q: value of key %.40x cannot be decoded: %w; was it written with another serde?",
			c.store.spec.Name, key, err)
	}
	return v, nil
}

// dirty makes an entry dirty, if it is not.
func (c *cells[V]) dirty(t *table[V], i int) {
	c.stores.writes++
	e := &t.entries[i]
	if e.flags&flagDirty == 0 {
		t.mark(i)
		size := int(e.size)
		if size == 0 && e.flags&flagAbsent == 0 {
			size = c.guess(t)
		}
		c.stores.dirtied(int(e.length), max(size, int(unsafe.Sizeof(e.value))))
	}
}

// roomy reports whether clean entries may still be kept.
func (c *cells[V]) roomy(t *table[V]) bool { return t.bytes() < c.stores.share.limit() }

// prepare encodes the dirty entries of one table, which makes them pending. tag and, for window stores, start precede
// the keys.
func (c *cells[V]) prepare(m *commit, t *table[V], start int64, windowed bool) (err error) {
	at := -1 // the entry that the codec has
	defer func() {
		if at >= 0 {
			err = c.store.misfit(t.key(at), c.store.fits(0, 0, panicked(recover())))
		}
	}()
	var encoded sizes
	for _, it := range sortEntries(&c.stores.sorter, t, t.dirty) {
		i := int(it.index)
		from := len(m.arena)
		if windowed {
			m.arena = appendStart(append(m.arena, tagWindow), start)
		} else {
			m.arena = append(m.arena, tagKeyValue)
		}
		m.arena = append(m.arena, t.key(i)...)
		mid := len(m.arena)
		e := &t.entries[i]
		deleted := e.flags&flagAbsent != 0
		if !deleted {
			at = i
			out, err := c.codec.Append(m.arena, e.value)
			at = -1
			if err = c.store.fits(mid-from, len(out)-mid, err); err != nil {
				return c.store.misfit(t.key(i), err)
			}
			m.arena = out
			t.resize(i, len(out)-mid)
			encoded.add(len(out) - mid)
		}
		if err := m.add(from, mid, deleted); err != nil {
			return err
		}
		e.flags = e.flags&^flagDirty | flagPending<<m.slot
	}
	t.pending[m.slot], t.dirty = t.dirty, t.pending[m.slot][:0]
	if encoded.count > 0 {
		c.learn(sizes{sum: sizesWeight * encoded.mean(), count: sizesWeight})
	}
	return nil
}

// peek returns the value of key for reading. What it had to look up it keeps, found or not, while there is room.
func (c *cells[V]) peek(t *table[V], start int64, windowed bool, key []byte) (*V, bool, error) {
	c.stores.peeks++
	hash := hashKey(key)
	i := t.find(key, hash)
	if i < 0 && t.complete {
		return nil, false, nil
	}
	if i < 0 && !c.roomy(t) {
		v, _, ok, err := c.read(start, windowed, key)
		c.scratch = v
		return &c.scratch, ok, err
	}
	if i < 0 {
		var err error
		if i, err = c.load(t, start, windowed, key, hash); err != nil {
			return nil, false, err
		}
	}
	e := &t.entries[i]
	return &e.value, e.flags&flagAbsent == 0, nil
}
