package state

import (
	"math/bits"
	"unsafe"
)

// bytes is about the memory that the table's content takes.
func (t *table[V]) bytes() int {
	return len(t.keys) + t.values + len(t.entries)*int(unsafe.Sizeof(entry[V]{})) + 8*len(t.slots)
}

// settle is called when the engine has got a pending commit. Of the given part of the entries, those that came first,
// it drops the ones that were clean before; and the absent ones everywhere, once they prevail.
func (t *table[V]) settle(slot int, drop float64) {
	if drop > 0 || t.absent >= absentMin && 2*t.absent > len(t.entries) {
		t.compact(slot, int(drop*float64(len(t.entries))))
	}
	for _, i := range t.pending[slot] {
		t.entries[i].flags &^= flagPending << slot
	}
	t.pending[slot] = t.pending[slot][:0]
}

// unclean are the flags of an entry that differs from the engine, or will.
const unclean = flagDirty | flagPending | flagPending<<1

// shrinkPart says when a table gives memory back: when so small a part of its slots suffices for what a compaction keeps.
// Growing doubles and trimming usually halves, so a table in steady use keeps what it has.
const shrinkPart = 4

// compact drops absent entries, and the clean ones among the first trim entries, and moves the rest together in place.
// The commit in slot counts as applied, but its entries not as clean yet: they were used just now.
func (t *table[V]) compact(slot, trim int) {
	kept, keys := 0, 0
	moved := make([]uint32, len(t.entries)) // where each entry went, plus one
	t.values, t.absent = 0, 0
	for i := range t.entries {
		e := t.entries[i]
		absent := e.flags&flagAbsent != 0
		if absent && e.flags&unclean&^(flagPending<<slot) == 0 {
			continue
		}
		if i < trim && e.flags&unclean == 0 {
			t.complete = false
			continue
		}
		copy(t.keys[keys:], t.keys[e.at:e.at+e.length])
		e.at = uint32(keys)
		t.entries[kept] = e
		if absent {
			t.absent++
		}
		kept, keys, t.values = kept+1, keys+int(e.length), t.values+int(e.size)
		moved[i] = uint32(kept)
	}
	t.relist(moved)
	if kept == 0 {
		*t = table[V]{complete: t.complete}
		return
	}
	clear(t.entries[kept:])
	t.entries, t.keys = t.entries[:kept], t.keys[:keys]
	if size := slotsFor(kept); size <= len(t.slots)/shrinkPart {
		t.shrink(size)
	} else {
		clear(t.slots)
	}
	for i := range t.entries {
		t.place(hashKey(t.key(i)), i)
	}
}

// slotsFor is the number of slots with room for n entries and one more.
func slotsFor(n int) int { return 1 << bits.Len(uint(max(2*n+1, slotsFirst-1))) }

// shrink gives back the memory of entries that are gone, but for as much again as is left. The slots are empty then.
func (t *table[V]) shrink(size int) {
	t.slots = make([]uint64, size)
	t.entries = append(make([]entry[V], 0, 2*len(t.entries)), t.entries...)
	t.keys = append(make([]byte, 0, 2*len(t.keys)), t.keys...)
	t.dirty = append([]uint32(nil), t.dirty...)
	for slot := range t.pending {
		t.pending[slot] = append([]uint32(nil), t.pending[slot]...)
	}
}

// relist makes the lists of dirty and pending entries follow entries that have moved; see compact.
func (t *table[V]) relist(moved []uint32) {
	t.dirty = follow(t.dirty, moved)
	for slot := range t.pending {
		t.pending[slot] = follow(t.pending[slot], moved)
	}
}

func follow(list, moved []uint32) []uint32 {
	kept := list[:0]
	for _, i := range list {
		if moved[i] > 0 {
			kept = append(kept, moved[i]-1)
		}
	}
	return kept
}

// reset empties the table and keeps its memory, unless that is a lot.
func (t *table[V]) reset(complete bool) {
	if t.bytes() > spareMax {
		*t = table[V]{}
	}
	clear(t.slots)
	clear(t.entries)
	t.entries, t.keys, t.dirty = t.entries[:0], t.keys[:0], t.dirty[:0]
	for slot := range t.pending {
		t.pending[slot] = t.pending[slot][:0]
	}
	t.absent, t.values, t.complete = 0, 0, complete
}
