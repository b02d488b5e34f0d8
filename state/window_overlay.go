package state

import (
	"fmt"
	"math"
	"slices"

	"github.com/millrace/millrace/state/internal/engine"
)

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
		if w.stores.journal.on {
			w.opened = append(w.opened, start)
			w.enlist()
		}
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
	w.applied = w.applied[:0]
	for _, win := range w.windows {
		w.applied = append(w.applied, win.start)
	}
	return nil
}

func (w *WindowStore[V]) settle(slot int, drop float64) {
	for _, win := range w.windows {
		if win.table != nil {
			win.table.settle(slot, drop)
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

// undo closes the windows that were opened since the savepoint: there is nothing of them anywhere else.
func (w *WindowStore[V]) undo() error {
	err := w.takeBack()
	for _, start := range w.opened {
		if at, found := w.search(start); found {
			w.retire(w.windows[at].table)
			w.windows = slices.Delete(w.windows, at, at+1)
		}
	}
	w.opened, w.last = w.opened[:0], 0
	return err
}

func (w *WindowStore[V]) keep() {
	w.forget()
	w.opened = w.opened[:0]
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
