package statetest

import (
	"bytes"
	"fmt"
	"maps"
	"slices"

	"github.com/millrace/millrace/state"
)

// compare compares all content with the model.
func (h *history) compare() error {
	if err := h.compareKeyValue(); err != nil {
		return err
	}
	starts := h.model.now.starts()
	if got := h.win.Starts(); !slices.Equal(got, starts) {
		return fmt.Errorf("Starts() = %d, want %d", got, starts)
	}
	for _, start := range starts {
		if err := h.compareWindow(start); err != nil {
			return err
		}
	}
	want := state.Closing{Watermark: h.model.now.mark, Below: h.model.now.below}
	if got, _ := h.win.Closing(); got != want {
		return fmt.Errorf("Closing() = %+v, want %+v", got, want)
	}
	return nil
}

func (h *history) compareKeyValue() error {
	keys := slices.Sorted(maps.Keys(h.model.now.kv))
	for key, value := range h.kv.All() {
		if len(keys) == 0 || keys[0] != key || h.model.now.kv[key] != value {
			return fmt.Errorf("All() shows %q = %q; the model has %q and next %.1q", key, value, h.model.now.kv[key], keys)
		}
		keys = keys[1:]
		if h.random.IntN(10) == 0 { // reading meanwhile must not disturb
			if err := h.get(); err != nil {
				return err
			}
		}
	}
	if len(keys) > 0 {
		return fmt.Errorf("All() lacks %q", keys)
	}
	return h.kv.Err()
}

func (h *history) compareWindow(start int64) error {
	cells := h.model.now.windows[start]
	keys := slices.Sorted(maps.Keys(cells))
	err := h.win.Each(start, func(key []byte, v *count) error {
		if len(keys) == 0 || keys[0] != string(key) || cells[string(key)] != *v {
			return fmt.Errorf("Each(%d) shows %q = %v; the model has %v and next %.1q", start, key, *v, cells[string(key)], keys)
		}
		keys = keys[1:]
		if h.random.IntN(10) == 0 {
			return h.windowPeek()
		}
		return nil
	})
	if err == nil && len(keys) > 0 {
		return fmt.Errorf("Each(%d) lacks %q", start, keys)
	}
	return err
}

// checkDirty compares what is dirty, and its order.
func (h *history) checkDirty() error {
	var keys []string
	err := h.kv.EachDirty(func(key []byte, v *string, deleted bool) error {
		keys = append(keys, string(key))
		value, want := h.model.now.kv[string(key)]
		if deleted == want || *v != value {
			return fmt.Errorf("EachDirty shows %q = %q, deleted %v; want %q, %v", key, *v, deleted, value, !want)
		}
		return nil
	})
	if err == nil && !slices.Equal(keys, h.model.dirtyKeys) {
		err = fmt.Errorf("EachDirty shows %q, want %q", keys, h.model.dirtyKeys)
	}
	if err != nil {
		return err
	}
	cells, last := map[int64][]string{}, int64(-1<<63)
	err = h.win.EachDirty(func(start int64, key []byte, v *count) error {
		if start < last || *v != h.model.now.windows[start][string(key)] {
			return fmt.Errorf("EachDirty shows window %d behind %d, key %q = %v", start, last, key, *v)
		}
		last = start
		cells[start] = append(cells[start], string(key))
		return nil
	})
	if err == nil && !maps.EqualFunc(cells, h.model.dirtyCells, slices.Equal) {
		err = fmt.Errorf("EachDirty shows %v, want %v", cells, h.model.dirtyCells)
	}
	return err
}

// checkEntries sees that there is one entry per dirty key, sorted within each store, and behind them the position of each
// store.
func (h *history) checkEntries(entries []state.Entry) error {
	n := len(entries) - 2
	if n < 0 {
		return fmt.Errorf("a new position gave %d entries", len(entries))
	}
	for i, p := range entries[n:] {
		if p.Store != i || !bytes.Equal(p.Key, []byte{0}) {
			return fmt.Errorf("entry %d of the last two is %d %x, not the position of store %d", i, p.Store, p.Key, i)
		}
	}
	counts := [2]int{}
	for i, e := range entries[:n] {
		counts[e.Store]++
		if i > 0 && entries[i-1].Store == e.Store && bytes.Compare(entries[i-1].Key, e.Key) >= 0 {
			return fmt.Errorf("entry %x behind %x", e.Key, entries[i-1].Key)
		}
	}
	want := [2]int{keyValueStore: len(h.model.dirtyKeys)}
	for _, cells := range h.model.dirtyCells {
		want[windowStore] += len(cells)
	}
	if counts != want {
		return fmt.Errorf("%d entries by store, want %d", counts, want)
	}
	return nil
}
