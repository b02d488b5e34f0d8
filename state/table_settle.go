package state

import "unsafe"

// bytes is about the memory that the table's content takes.
func (t *table[V]) bytes() int {
	return len(t.keys) + t.values + len(t.entries)*int(unsafe.Sizeof(entry[V]{})) + 8*len(t.slots)
}

// settle makes all entries clean. With trim it then drops those that were clean before, otherwise only the absent
// ones, once they prevail.
func (t *table[V]) settle(trim bool) {
	if trim || t.absent >= absentMin && 2*t.absent > len(t.entries) {
		t.compact(trim)
	}
	for _, i := range t.dirty {
		t.entries[i].flags &^= flagDirty
	}
	t.dirty = t.dirty[:0]
}

// compact drops absent entries, and with trim the clean ones, and moves the rest together in place. The list of
// dirty entries is made anew, in the order of the entries.
func (t *table[V]) compact(trim bool) {
	kept, keys := 0, 0
	t.dirty = t.dirty[:0]
	t.values, t.absent = 0, 0
	for i := range t.entries {
		e := t.entries[i]
		if e.flags&flagAbsent != 0 {
			continue
		}
		if trim && e.flags&flagDirty == 0 {
			t.complete = false
			continue
		}
		copy(t.keys[keys:], t.keys[e.at:e.at+e.length])
		e.at = uint32(keys)
		t.entries[kept] = e
		if e.flags&flagDirty != 0 {
			t.dirty = append(t.dirty, uint32(kept))
		}
		kept, keys, t.values = kept+1, keys+int(e.length), t.values+int(e.size)
	}
	if kept == 0 {
		*t = table[V]{complete: t.complete}
		return
	}
	clear(t.entries[kept:])
	t.entries, t.keys = t.entries[:kept], t.keys[:keys]
	clear(t.slots)
	for i := range t.entries {
		t.place(hashKey(t.key(i)), i)
	}
}

// reset empties the table and keeps its memory, unless that is a lot.
func (t *table[V]) reset(complete bool) {
	if t.bytes() > spareMax {
		*t = table[V]{}
	}
	clear(t.slots)
	clear(t.entries)
	t.entries, t.keys, t.dirty = t.entries[:0], t.keys[:0], t.dirty[:0]
	t.absent, t.values, t.complete = 0, 0, complete
}
