package statetest

import (
	"fmt"

	"github.com/millrace/millrace/schemaregistry/serde"
	"github.com/millrace/millrace/state"
)

const (
	task          = "0_3"
	applicationID = "suite"
	// keysOf is the number of different keys, windowsOf that of window starts in reach at a time.
	keysOf    = 700
	windowsOf = 6
	windowGap = 1000
	// burstOf is the number of writes in a burst.
	burstOf = 500
	// flushJump moves the wall clock far enough for a flush.
	flushJump = 40_000
)

func specs() []state.Spec {
	// Not in the order of their names: an entry's Store is the index here, the position's home the first name.
	return []state.Spec{{Name: "windows", Kind: state.Window}, {Name: "totals", Kind: state.KeyValue}}
}

// Indexes into specs.
const (
	windowStore = iota
	keyValueStore
)

func (h *history) open() error {
	id := state.Identity{ApplicationID: applicationID, Task: task}
	var err error
	if h.stores, err = h.storage.Open(task, id, specs()); err != nil {
		return err
	}
	return h.openHandles()
}

func (h *history) openHandles() (err error) {
	kv := state.KV[string, string]{Name: "totals", Key: serde.String, Value: serde.String}
	if h.kv, err = kv.Open(h); err != nil {
		return err
	}
	windows := state.Windowed[count]{Name: "windows", Value: state.TimestampedSerde(serde.Int64)}
	h.win, err = windows.Open(h)
	return err
}

// anyKey gives keys that are hard to sort, too: empty, differing only in zeros at the end, or only far behind.
func (h *history) anyKey() string {
	n := h.random.IntN(keysOf)
	switch h.random.IntN(60) {
	case 0:
		return ""
	case 1, 2:
		return fmt.Sprintf("key-%d", n/10) + "\x00\x00\x00"[:n%4]
	case 3, 4:
		return fmt.Sprintf("key-in-a-crowd-%d", n)
	}
	return fmt.Sprintf("key-%d", n)
}

// anyStart is mostly a window in reach, sometimes one at the far ends of time.
func (h *history) anyStart() int64 {
	first := max(h.model.now.below, -2*windowGap)
	switch h.random.IntN(200) {
	case 0:
		return 1<<63 - 1
	case 1:
		return max(h.model.now.below, -1<<63)
	}
	return first + int64(h.random.IntN(windowsOf))*windowGap
}

func (h *history) put() error {
	key, value := h.anyKey(), fmt.Sprintf("%0*d", h.random.IntN(60), h.step)
	if h.random.IntN(50) == 0 {
		value = ""
	}
	h.model.put(key, value)
	return h.kv.Put(key, value)
}

func (h *history) delete() error {
	key := h.anyKey()
	h.model.remove(key)
	if h.random.IntN(2) == 0 {
		return h.kv.Delete(key)
	}
	return h.kv.Remove([]byte(key))
}

func (h *history) slot() error {
	key := h.anyKey()
	old, want := h.model.now.kv[key]
	v, existed, err := h.kv.Slot([]byte(key))
	if err != nil {
		return err
	}
	if existed != want || *v != old {
		return fmt.Errorf("Slot(%q) = %q, %v; want %q, %v", key, *v, existed, old, want)
	}
	*v = fmt.Sprint(len(*v), h.step)
	h.model.put(key, *v)
	return nil
}

func (h *history) get() error {
	key := h.anyKey()
	old, want := h.model.now.kv[key]
	v, ok, err := h.kv.Get(key)
	if err != nil {
		return err
	}
	if ok != want || v != old {
		return fmt.Errorf("Get(%q) = %q, %v; want %q, %v", key, v, ok, old, want)
	}
	return nil
}

func (h *history) windowSlot() error {
	start, key := h.anyStart(), h.anyKey()
	old, want := h.model.now.windows[start][key]
	v, existed, err := h.win.Slot(start, []byte(key))
	if err != nil {
		return err
	}
	if existed != want || *v != old {
		return fmt.Errorf("Slot(%d, %q) = %v, %v; want %v, %v", start, key, *v, existed, old, want)
	}
	v.Time, v.Value = int64(h.step), v.Value+1
	h.model.putCell(start, key, *v)
	return nil
}

// burst writes so much that sorting and trimming have something to do.
func (h *history) burst() error {
	write := h.windowSlot
	if h.random.IntN(2) == 0 {
		write = h.put
	}
	for range burstOf {
		if err := write(); err != nil {
			return err
		}
	}
	return nil
}

func (h *history) windowPeek() error {
	start, key := h.anyStart(), h.anyKey()
	old, want := h.model.now.windows[start][key]
	v, ok, err := h.win.Peek(start, []byte(key))
	if err != nil {
		return err
	}
	if ok != want || ok && *v != old {
		return fmt.Errorf("Peek(%d, %q) = %v, %v; want %v, %v", start, key, v, ok, old, want)
	}
	return nil
}

// drop closes some windows, and sees that they stay closed.
func (h *history) drop() error {
	below := max(h.model.now.below, -2*windowGap) + int64(h.random.IntN(3))*windowGap
	h.win.Drop(below)
	h.model.drop(below)
	if h.random.IntN(2) == 0 {
		h.win.SetClosing(int64(h.step))
		h.model.now.mark = int64(h.step)
	}
	if _, _, err := h.win.Slot(below-1, []byte("k")); err == nil {
		return fmt.Errorf("Slot(%d) succeeded below the bound %d", below-1, below)
	}
	return nil
}
