package state

import (
	"fmt"
	"math"
	"slices"

	"github.com/millrace/millrace/state/internal/engine"
)

// WindowStore keeps one value per window start and key. It belongs to the task's goroutine.
//
// Starts are any int64. What always holds: windows are sorted by start, and are those with an entry in the overlay or
// in the engine, none of them below the bound of the last Drop. Values are live, as in KeyValueStore.
type WindowStore[V any] struct {
	cells[V]
	windows []*window[V]
	last    int         // index of the window used last
	applied []int64     // starts of the windows in the engine, ascending
	starts  []int64     // result of Starts
	spare   []*table[V] // empty tables of windows that are gone
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
	if i := t.find(key, hash); i >= 0 && t.entries[i].flags == flagDirty {
		w.stores.writes++
		return &t.entries[i].value, true, nil
	}
	i, existed, err := w.slot(t, start, true, key, hash)
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

// EachDirty calls fn for each entry that was written since the last Apply or Discard, windows ascending and within
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
	w.store.closing.Below = below
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
func (w *WindowStore[V]) SetClosing(watermark int64) { w.store.closing.Watermark = watermark }

// Closing is the current closing: that of the applied position, with what Drop and SetClosing did since; false if
// there is none.
func (w *WindowStore[V]) Closing() (Closing, bool) {
	c := w.store.closing
	return c, c != noClosing(c.Store)
}

// table returns the table of a window that is in use; nil if it has none. It remembers the window, and tries the one
// behind it next: overlapping windows are visited in order.
func (w *WindowStore[V]) table(start int64) *table[V] {
	for at := w.last; at < min(w.last+2, len(w.windows)); at++ {
		if win := w.windows[at]; win.start == start {
			w.last = at
			return win.table
		}
	}
	at, found := w.search(start)
	if !found {
		return nil
	}
	w.last = at
	return w.windows[at].table
}

// search returns the index of a window, or where it would be.
func (w *WindowStore[V]) search(start int64) (int, bool) {
	return slices.BinarySearchFunc(w.windows, start, func(win *window[V], start int64) int {
		switch {
		case win.start < start:
			return -1
		case win.start > start:
			return 1
		}
		return 0
	})
}

// open makes a window for writing.
func (w *WindowStore[V]) open(start int64) (*table[V], error) {
	if w.stores.broken != nil {
		return nil, w.stores.broken
	}
	if below := w.store.closing.Below; start < below {
		return nil, fmt.Errorf("state: store %q: write to window %d, but windows below %d are closed and gone; count the record as late",
			w.store.spec.Name, start, below)
	}
	at, found := w.search(start)
	if !found {
		w.windows = slices.Insert(w.windows, at, &window[V]{start: start})
	}
	w.last = at
	return w.touch(w.windows[at]), nil
}

// touch gives a window its table. What the engine has nothing of is complete from the start.
func (w *WindowStore[V]) touch(win *window[V]) *table[V] {
	if win.table != nil {
		return win.table
	}
	_, applied := slices.BinarySearch(w.applied, win.start)
	if n := len(w.spare); n > 0 {
		win.table, w.spare = w.spare[n-1], w.spare[:n-1]
	} else {
		win.table = &table[V]{}
	}
	win.table.complete = !applied
	return win.table
}

// retire keeps an empty table for another window.
func (w *WindowStore[V]) retire(t *table[V]) {
	if t != nil && len(w.spare) < sparesMax {
		t.reset(false)
		w.spare = append(w.spare, t)
	}
}

func (w *WindowStore[V]) prepare(c *commit) error {
	if below := w.store.closing.Below; len(w.applied) > 0 && w.applied[0] < below {
		from, to := closedRange(w.store.id, below)
		if err := c.batch.DeleteRange(from, to); err != nil {
			return err
		}
	}
	for _, win := range w.windows {
		if win.table == nil || len(win.table.dirty) == 0 {
			continue
		}
		if err := w.cells.prepare(c, win.table, win.start, true); err != nil {
			return err
		}
	}
	return nil
}

func (w *WindowStore[V]) settle(trim bool) {
	w.applied = w.applied[:0]
	for _, win := range w.windows {
		w.applied = append(w.applied, win.start)
		if win.table != nil && (trim || len(win.table.dirty) > 0) {
			win.table.settle(trim)
		}
	}
}

func (w *WindowStore[V]) reload() error {
	for _, win := range w.windows {
		w.retire(win.table)
	}
	clear(w.windows)
	w.windows, w.applied, w.last = w.windows[:0], w.applied[:0], 0
	from, to := storeRange(w.store.id)
	for {
		key, ok, err := engine.First(w.stores.engine, from, to)
		if err != nil || !ok {
			return err
		}
		if len(key) < 2+startSize {
			return fmt.Errorf("%w: store %q: key %x is shorter than a window start", ErrCorrupt, w.store.spec.Name, key)
		}
		start := decodeStart(key[2:])
		w.applied = append(w.applied, start)
		w.windows = append(w.windows, &window[V]{start: start})
		if start == math.MaxInt64 {
			return nil
		}
		from, _ = windowRange(w.store.id, start+1)
	}
}

func (w *WindowStore[V]) bytes() int {
	total := 0
	for _, win := range w.windows {
		if win.table != nil {
			total += win.table.bytes()
		}
	}
	return total
}
