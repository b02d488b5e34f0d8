package state

import (
	"fmt"

	"github.com/cespare/xxhash/v2"
)

// table is the overlay of one key-value store or of one window: an open-addressing hash table from key bytes to live
// values, over two arenas. A hit costs one hash, one probe and one comparison, and allocates nothing; where V has no
// pointers the garbage collector has nothing to follow.
//
// What always holds:
//  1. slots has a power of two places, at most half of them taken. A place holds 32 bits of the key's hash and the
//     index of its entry plus one; a key is found from the place its hash names, onwards.
//  2. Entries lie in the order in which their keys came, and so do the keys in their arena, without gaps.
//  3. dirty lists the entries with the dirty flag, each once, in the order in which they became dirty; pending does so
//     for each commit that was prepared and not yet applied.
//  4. An entry that is neither dirty nor pending is clean: it says what the engine holds, absent entries included. If
//     complete is set, a key without an entry is not in the engine.
//
// A pointer to a value is good until the next insert.
type table[V any] struct {
	slots    []uint64
	entries  []entry[V]
	keys     []byte
	dirty    []uint32
	pending  [PendingCommits][]uint32
	absent   int // entries with the absent flag
	values   int // sum of entry.size
	complete bool
}

// entry is one key. An absent entry has the zero value.
type entry[V any] struct {
	at, length uint32 // of the key in the arena
	size       uint32 // of the value when it was last encoded or decoded; 0 if it never was
	flags      uint8
	value      V
}

const (
	// flagDirty marks an entry that was written since the last Prepare.
	flagDirty uint8 = 1 << iota
	// flagAbsent marks a key that has no value: deleted, or looked for in vain.
	flagAbsent
	// flagPending marks an entry whose value is in the first of the pending commits; shifted by n, in another.
	flagPending
	// flagNoted marks an entry whose state at the savepoint is in the journal.
	flagNoted uint8 = 1 << 7
)

const (
	slotsFirst = 64
	// keysMax bounds the key bytes of one table; offsets have 32 bits.
	keysMax = 1 << 31
	// absentMin is the number of absent entries from which on they are worth cleaning up.
	absentMin = 1024
	// spareMax is the size of a table that is worth keeping for another window.
	spareMax = 16 << 20
)

func hashKey(key []byte) uint32 { return uint32(xxhash.Sum64(key) >> 32) }

// find returns the index of a key's entry, -1 if it has none.
func (t *table[V]) find(key []byte, hash uint32) int {
	if len(t.slots) == 0 {
		return -1
	}
	mask := uint32(len(t.slots) - 1)
	for at := hash & mask; ; at = (at + 1) & mask {
		slot := t.slots[at]
		if slot == 0 {
			return -1
		}
		if uint32(slot>>32) != hash {
			continue
		}
		i := int(uint32(slot) - 1)
		if e := &t.entries[i]; string(t.keys[e.at:e.at+e.length]) == string(key) {
			return i
		}
	}
}

// insert adds a clean, absent entry for a key that has none, and returns its index. The key is copied.
func (t *table[V]) insert(key []byte, hash uint32) (int, error) {
	if len(t.keys)+len(key) > keysMax {
		return 0, fmt.Errorf("more than %d bytes of keys in memory: commit more often", keysMax)
	}
	if 2*(len(t.entries)+1) > len(t.slots) {
		t.grow(max(slotsFirst, 2*len(t.slots)))
	}
	t.entries = append(t.entries, entry[V]{at: uint32(len(t.keys)), length: uint32(len(key)), flags: flagAbsent})
	t.keys = append(t.keys, key...)
	t.absent++
	t.place(hash, len(t.entries)-1)
	return len(t.entries) - 1, nil
}

// place puts an entry into the first free place.
func (t *table[V]) place(hash uint32, i int) {
	mask := uint32(len(t.slots) - 1)
	at := hash & mask
	for t.slots[at] != 0 {
		at = (at + 1) & mask
	}
	t.slots[at] = uint64(hash)<<32 | uint64(i+1)
}

func (t *table[V]) grow(size int) {
	old := t.slots
	t.slots = make([]uint64, size)
	for _, slot := range old {
		if slot != 0 {
			t.place(uint32(slot>>32), int(uint32(slot)-1))
		}
	}
}

// key returns the key of an entry. It is valid until the table is compacted or reset.
func (t *table[V]) key(i int) []byte {
	e := &t.entries[i]
	return t.keys[e.at : e.at+e.length : e.at+e.length]
}

// fill gives an absent entry a value of an encoded size.
func (t *table[V]) fill(i int, v V, size int) {
	e := &t.entries[i]
	e.value, e.flags = v, e.flags&^flagAbsent
	t.absent--
	t.resize(i, size)
}

// empty takes the value of an entry.
func (t *table[V]) empty(i int) {
	var zero V
	e := &t.entries[i]
	if e.flags&flagAbsent == 0 {
		t.absent++
	}
	e.value, e.flags = zero, e.flags|flagAbsent
	t.resize(i, 0)
}

func (t *table[V]) resize(i, size int) {
	e := &t.entries[i]
	t.values += size - int(e.size)
	e.size = uint32(size)
}

// mark makes an entry dirty that is not.
func (t *table[V]) mark(i int) {
	t.entries[i].flags |= flagDirty
	t.dirty = append(t.dirty, uint32(i))
}
