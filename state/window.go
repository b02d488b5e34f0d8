package state

import (
	"slices"
)

// WindowStore keeps one value per window start and key. It belongs to the task's goroutine.
//
// Starts are any int64. What always holds: windows are sorted by start, and are those with an entry in the overlay or
// in the engine, none of them below the bound of the last Drop. Values are live, as in KeyValueStore.
type WindowStore[V any] struct {
	cells[V]
	windows []*window[V]
	last    int         // index of the window used last
	applied []int64     // starts of the windows that are in the engine or in a pending commit, ascending
	starts  []int64     // result of Starts
	spare   []*table[V] // empty tables of windows that are gone
	opened  []int64     // since the savepoint
}

// window is one window: its entries in memory, if any were touched.
type window[V any] struct {
	start int64
	table *table[V] // nil until touched
}

// sparesMax is the number of empty tables kept for windows to come.
const sparesMax = 4

// Slot returns the live value of a key in a window for update and marks it dirty; where there is none it makes the
// zero value and existed is false. The pointer is valid until the next call on the store; the key is copied. A window
// below the bound of a Drop is gone for good, and writing to it is an error: a restore would drop what was written.
func (w *WindowStore[V]) Slot(start int64, key []byte) (v *V, existed bool, err error) {
	hash := hashKey(key)
	t := w.table(start)
	if t == nil {
		if t, err = w.open(start); err != nil {
			return nil, false, err
		}
	}
	i := t.find(key, hash)
	if i >= 0 && t.entries[i].flags&(flagDirty|flagAbsent) == flagDirty && !w.stores.journal.on {
		w.stores.writes++
		return &t.entries[i].value, true, nil
	}
	i, existed, err = w.slot(t, i, start, true, key, hash)
	if err != nil {
		return nil, false, err
	}
	return &t.entries[i].value, existed, nil
}

// Peek returns the live value of a key in a window for reading; false if there is none. The pointer is valid until
// the next call on the store.
func (w *WindowStore[V]) Peek(start int64, key []byte) (v *V, ok bool, err error) {
	t := w.table(start)
	if t == nil {
		at, found := w.search(start)
		if !found {
			return nil, false, w.stores.broken
		}
		t = w.touch(w.windows[at])
	}
	return w.peek(t, start, true, key)
}

// Starts are the starts of the windows that have entries, ascending. The slice is valid until the next call on the
// store.
func (w *WindowStore[V]) Starts() []int64 {
	w.starts = w.starts[:0]
	for _, win := range w.windows {
		w.starts = append(w.starts, win.start)
	}
	return w.starts
}

// Each calls fn for each live entry of a window, in the order of the key bytes. Key and value are valid during the
// call; fn must not write to this store.
func (w *WindowStore[V]) Each(start int64, fn func(key []byte, v *V) error) error {
	at, found := w.search(start)
	if !found {
		return w.stores.broken
	}
	from, to := windowRange(w.store.id, start)
	return w.each(w.touch(w.windows[at]), from, to, len(from), fn)
}

// EachDirty calls fn for each entry that was written since the last Prepare or Discard, windows ascending and within
// each in the order in which they were first. Key and value are valid during the call; fn must not write to this
// store.
func (w *WindowStore[V]) EachDirty(fn func(start int64, key []byte, v *V) error) error {
	for _, win := range w.windows {
		if win.table == nil {
			continue
		}
		t := win.table
		for at := 0; at < len(t.dirty); at++ {
			i := int(t.dirty[at])
			if err := fn(win.start, t.key(i), &t.entries[i].value); err != nil {
				return err
			}
		}
	}
	return nil
}

// Drop removes all windows with start < below, dirty or not. In the engine that is one range deletion, with the next
// Apply; the changelog gets no tombstones, for the position holds the bound. A bound below an earlier one does nothing.
func (w *WindowStore[V]) Drop(below int64) {
	if below <= w.store.closing.Below {
		return
	}
	w.stores.setClosing(w.store, Closing{Watermark: w.store.closing.Watermark, Below: below})
	w.stores.writes++
	w.stores.dirtyBytes += spread
	n, _ := w.search(below)
	for _, win := range w.windows[:n] {
		w.retire(win.table)
	}
	w.windows = slices.Delete(w.windows, 0, n)
	w.last = 0
}

// SetClosing remembers the operator's merged watermark, in ms of event time, as part of the next Position.
func (w *WindowStore[V]) SetClosing(watermark int64) {
	w.stores.setClosing(w.store, Closing{Watermark: watermark, Below: w.store.closing.Below})
}

// Closing is the current closing: that of the applied position, with what Drop and SetClosing did since; false if
// there is none.
func (w *WindowStore[V]) Closing() (Closing, bool) {
	c := w.store.closing
	return c, c != noClosing
}
