package state

import (
	"fmt"
	"reflect"
	"slices"
)

// journal is what the stores of a task need to take back what was changed since a savepoint. It costs nothing while no
// savepoint is set, but for one look at on for each change.
//
// What always holds, between Mark and Undo or Keep: an entry that was changed is noted with what it was, its value as a
// copy or, where a copy would share memory with it, encoded; an entry that came into a table meanwhile was clean at
// first, and that is what it becomes again. Nothing is prepared, applied or dropped between Mark and Undo or Keep.
type journal struct {
	on         bool
	failed     error // why something could not be noted; what was changed cannot be taken back then
	overlays   []overlay
	closings   []notedClosing
	dirtyBytes int
	arena      []byte // encoded values
}

// journalRetained bounds the bytes of encoded values that a journal keeps room for.
const journalRetained = 1 << 20

// notedRetained bounds the noted entries that a store keeps room for.
const notedRetained = 1 << 12

// notedEntry is an entry as it was at the savepoint.
type notedEntry[V any] struct {
	table    *table[V]
	index    uint32
	size     uint32
	flags    uint8
	encoded  bool
	value    V
	from, to int // in the journal's arena, if encoded
}

// notedClosing is the closing of a store as it was before a change.
type notedClosing struct {
	store *store
	was   Closing
}

// setClosing changes the closing of a store. Between Mark and Undo or Keep it notes what it was; few records come to
// change one more than once, so each change is noted.
func (s *Stores) setClosing(st *store, c Closing) {
	if s.journal.on && st.closing != c {
		s.journal.closings = append(s.journal.closings, notedClosing{st, st.closing})
	}
	st.closing = c
}

// Mark sets a savepoint: from now on what is changed is noted, so that Undo can take it back. Each Mark is followed by
// Undo or Keep before anything but the stores' values and closings is used.
func (s *Stores) Mark() {
	j := &s.journal
	j.on, j.failed, j.dirtyBytes = true, nil, s.dirtyBytes
}

// Keep forgets the savepoint.
func (s *Stores) Keep() {
	j := &s.journal
	if !j.on {
		return
	}
	for _, o := range j.overlays {
		o.keep()
	}
	j.end()
}

// Undo takes back what was changed since the savepoint, also what user code did to a value before it failed. After an
// error the stores are to be discarded.
func (s *Stores) Undo() error {
	j := &s.journal
	err := j.failed
	if s.broken != nil {
		err = s.broken
	}
	for _, o := range j.overlays {
		if err == nil {
			err = o.undo()
		}
		o.keep()
	}
	s.dirtyBytes = j.dirtyBytes
	for _, c := range slices.Backward(j.closings) {
		c.store.closing = c.was
	}
	j.end()
	return err
}

func (j *journal) end() {
	clear(j.overlays)
	j.on, j.overlays, j.closings, j.arena = false, j.overlays[:0], j.closings[:0], j.arena[:0]
	if cap(j.arena) > journalRetained {
		j.arena = nil
	}
}

// note takes an entry that is about to be changed into the journal, if there is a savepoint.
func (c *cells[V]) note(t *table[V], i int) {
	if c.stores.journal.on && t.entries[i].flags&flagNoted == 0 {
		c.noteEntry(t, i)
	}
}

func (c *cells[V]) noteEntry(t *table[V], i int) {
	e := &t.entries[i]
	n := notedEntry[V]{table: t, index: uint32(i), size: e.size, flags: e.flags}
	switch {
	case e.flags&flagAbsent != 0:
	case c.copies():
		n.value = e.value
	default:
		n.encoded = true
		n.from, n.to = c.encodeNoted(e.value)
	}
	e.flags |= flagNoted
	c.noted = append(c.noted, n)
	c.enlist()
}

// enlist has the journal visit the store.
func (c *cells[V]) enlist() {
	if !c.listed {
		c.listed = true
		c.stores.journal.overlays = append(c.stores.journal.overlays, c.entry)
	}
}

// encodeNoted encodes a value into the arena. A codec that cannot, or panics, is not the fault of the record that is
// being processed: it has not been taken in yet.
func (c *cells[V]) encodeNoted(v V) (from, to int) {
	j := &c.stores.journal
	from = len(j.arena)
	defer func() {
		if p := recover(); p != nil {
			j.failed = fmt.Errorf("state: store %q: the codec of its values panics: %v", c.store.spec.Name, p)
		}
	}()
	b, err := c.codec.Append(j.arena, v)
	if err == nil {
		err = appended(len(b) - from)
	}
	if err != nil {
		j.failed = fmt.Errorf("state: store %q: a value cannot be noted: %w", c.store.spec.Name, err)
		return from, from
	}
	j.arena = b
	return from, len(b)
}

// takeBack makes the entries that were noted what they were.
func (c *cells[V]) takeBack() error {
	for k := range c.noted {
		n := &c.noted[k]
		if n.encoded {
			var err error
			if n.value, err = c.decodeNoted(c.stores.journal.arena[n.from:n.to:n.to]); err != nil {
				return fmt.Errorf("state: store %q: a value that was noted cannot be decoded: %w", c.store.spec.Name, err)
			}
		}
		t, e := n.table, &n.table.entries[n.index]
		if e.flags&flagDirty > n.flags&flagDirty {
			t.dirty = t.dirty[:len(t.dirty)-1] // all that became dirty since the savepoint goes
		}
		t.absent += int(n.flags&flagAbsent)/int(flagAbsent) - int(e.flags&flagAbsent)/int(flagAbsent)
		t.resize(int(n.index), int(n.size))
		e.value, e.flags = n.value, n.flags
	}
	return nil
}

// decodeNoted decodes a value out of the arena. Whoever takes back has a panic to answer already, so one of the codec is
// an error here.
func (c *cells[V]) decodeNoted(b []byte) (v V, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the codec panics: %v", p)
		}
	}()
	return c.codec.Decode(b)
}

// forget ends what takeBack could do.
func (c *cells[V]) forget() {
	for k := range c.noted {
		n := &c.noted[k]
		n.table.unmark(int(n.index))
	}
	clear(c.noted)
	c.noted, c.listed = c.noted[:0], false
	if cap(c.noted) > notedRetained {
		c.noted = nil
	}
}

// unmark forgets that an entry is noted. Undo has emptied the tables of windows that were opened since the savepoint:
// they have it no more.
func (t *table[V]) unmark(i int) {
	if i < len(t.entries) {
		t.entries[i].flags &^= flagNoted
	}
}

// A shape says how values of a type are noted.
type shape uint8

const (
	shapeUnknown shape = iota
	shapeCopied        // a copy shares nothing that can be changed
	shapeEncoded       // a copy may share memory
)

// copies reports whether a copy of a value stays what it is, whatever is done to the value.
func (c *cells[V]) copies() bool {
	if c.shape == shapeUnknown {
		c.shape = shapeEncoded
		if unshared(reflect.TypeFor[V]()) {
			c.shape = shapeCopied
		}
	}
	return c.shape == shapeCopied
}

// unshared reports whether copies of values of a type share nothing that can be changed.
func unshared(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Array:
		return unshared(t.Elem())
	case reflect.Struct:
		for i := range t.NumField() {
			if !unshared(t.Field(i).Type) {
				return false
			}
		}
		return true
	case reflect.String:
		return true
	}
	return t.Kind() > reflect.Invalid && t.Kind() <= reflect.Complex128 && t.Kind() != reflect.Uintptr
}
