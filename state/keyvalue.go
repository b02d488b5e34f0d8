package state

import (
	"errors"
	"fmt"
	"iter"

	"github.com/millrace/millrace/schemaregistry/serde"
	"github.com/millrace/millrace/state/internal/engine"
)

// KeyValueStore keeps one value per key. It belongs to the task's goroutine.
//
// Values are live: what Get returns, and what the pointers of Slot, Peek and the iterations point to, is the store's
// own, not a copy, wherever V contains pointers. Change a value only between Update or Slot and the next call, or
// through Put, which takes another one.
type KeyValueStore[K, V any] struct {
	cells[V]
	keyCodec serde.Codec[K]
	table    table[V]
	encoded  []byte // scratch: one key
	err      error  // of the last All
}

// Get returns the value of a key; false if there is none.
func (kv *KeyValueStore[K, V]) Get(key K) (V, bool, error) {
	var zero V
	b, err := kv.encode(key)
	if err != nil {
		return zero, false, err
	}
	v, ok, err := kv.Peek(b)
	if err != nil || !ok {
		return zero, false, err
	}
	return *v, true, nil
}

// Put sets the value of a key. The store owns v from now on.
func (kv *KeyValueStore[K, V]) Put(key K, v V) error {
	b, err := kv.encode(key)
	if err != nil {
		return err
	}
	i, err := kv.blind(b)
	if err != nil {
		return err
	}
	kv.note(&kv.table, i)
	if e := &kv.table.entries[i]; e.flags&flagAbsent == 0 {
		e.value = v
	} else {
		kv.table.fill(i, v, 0)
	}
	kv.dirty(&kv.table, i)
	return nil
}

// Update returns the live value of a key to be changed in place; where the key has none it makes the zero value and
// existed is false. The pointer is valid until the next call on the store.
func (kv *KeyValueStore[K, V]) Update(key K) (v *V, existed bool, err error) {
	b, err := kv.encode(key)
	if err != nil {
		return nil, false, err
	}
	return kv.Slot(b)
}

// Delete removes a key, present or not.
func (kv *KeyValueStore[K, V]) Delete(key K) error {
	b, err := kv.encode(key)
	if err != nil {
		return err
	}
	return kv.Remove(b)
}

// All returns the live entries in the order of their encoded keys. Values may be changed with Put meanwhile; whether
// keys added meanwhile are shown is not defined. An error ends the iteration; Err has it.
func (kv *KeyValueStore[K, V]) All() iter.Seq2[K, V] {
	return func(yield func(K, V) bool) {
		from, to := storeRange(kv.store.id)
		kv.err = kv.each(&kv.table, from, to, len(from), func(b []byte, v *V) error {
			key, err := kv.keyCodec.Decode(b)
			if err != nil {
				return fmt.Errorf("state: store %q: key %.40x cannot be decoded: %w; was it written with another serde?",
					kv.store.spec.Name, b, err)
			}
			if !yield(key, *v) {
				return engine.ErrStop
			}
			return nil
		})
		if errors.Is(kv.err, engine.ErrStop) {
			kv.err = nil
		}
	}
}

// Err is the error that ended the last iteration of All; nil if it came to its end or was left.
func (kv *KeyValueStore[K, V]) Err() error { return kv.err }

// Slot returns the live value of a key for update and marks it dirty; where the key has none it makes the zero value
// and existed is false. The pointer is valid until the next call on the store; the key is copied.
func (kv *KeyValueStore[K, V]) Slot(key []byte) (v *V, existed bool, err error) {
	hash := hashKey(key)
	i := kv.table.find(key, hash)
	if i >= 0 && kv.table.entries[i].flags&(flagDirty|flagAbsent) == flagDirty && !kv.stores.journal.on {
		kv.stores.writes++
		return &kv.table.entries[i].value, true, nil
	}
	i, existed, err = kv.slot(&kv.table, i, 0, false, key, hash)
	if err != nil {
		return nil, false, err
	}
	return &kv.table.entries[i].value, existed, nil
}

// Peek returns the live value of a key for reading; false if it has none. The pointer is valid until the next call on
// the store.
func (kv *KeyValueStore[K, V]) Peek(key []byte) (v *V, ok bool, err error) {
	return kv.peek(&kv.table, 0, false, key)
}

// Remove removes a key, present or not.
func (kv *KeyValueStore[K, V]) Remove(key []byte) error {
	i, err := kv.blind(key)
	if err != nil {
		return err
	}
	kv.note(&kv.table, i)
	kv.table.empty(i)
	kv.dirty(&kv.table, i)
	return nil
}

// EachDirty calls fn for each key that was written since the last Prepare or Discard, in the order in which they were
// first; v points to the zero value where the key was deleted. fn must not write to this store.
func (kv *KeyValueStore[K, V]) EachDirty(fn func(key []byte, v *V, deleted bool) error) error {
	t := &kv.table
	for at := 0; at < len(t.dirty); at++ {
		i := int(t.dirty[at])
		e := &t.entries[i]
		if err := fn(t.key(i), &e.value, e.flags&flagAbsent != 0); err != nil {
			return err
		}
	}
	return nil
}

// SetClosing remembers a watermark of the operator, in ms of event time, as part of the next Position.
func (kv *KeyValueStore[K, V]) SetClosing(watermark int64) {
	kv.stores.setClosing(kv.store, Closing{Watermark: watermark, Below: kv.store.closing.Below})
}

// SetBelow remembers a bound of the operator, in ms of event time, as part of the next Position. It closes nothing.
func (kv *KeyValueStore[K, V]) SetBelow(below int64) {
	kv.stores.setClosing(kv.store, Closing{Watermark: kv.store.closing.Watermark, Below: below})
}

// Closing is the current closing: that of the applied position, with what SetClosing and SetBelow did since; false if
// there is none. Its bound closes nothing.
func (kv *KeyValueStore[K, V]) Closing() (Closing, bool) {
	c := kv.store.closing
	return c, c != noClosing
}

// blind returns the index of the entry of a key that is about to be overwritten, without reading the engine; but for
// what may be taken back, for then it is to say again what the engine holds.
func (kv *KeyValueStore[K, V]) blind(key []byte) (int, error) {
	kv.stores.blind++
	hash := hashKey(key)
	if i := kv.table.find(key, hash); i >= 0 {
		return i, nil
	}
	if kv.stores.broken != nil {
		return 0, kv.stores.broken
	}
	if kv.stores.journal.on {
		return kv.load(&kv.table, 0, false, key, hash)
	}
	i, err := kv.table.insert(key, hash)
	if err != nil {
		return 0, fmt.Errorf("state: store %q: %w", kv.store.spec.Name, err)
	}
	return i, nil
}

func (kv *KeyValueStore[K, V]) encode(key K) ([]byte, error) {
	b, err := kv.keyCodec.Append(kv.encoded[:0], key)
	if err != nil {
		return nil, fmt.Errorf("state: store %q: key cannot be encoded: %w", kv.store.spec.Name, err)
	}
	kv.encoded = b
	return b, nil
}

func (kv *KeyValueStore[K, V]) prepare(c *commit) error {
	return kv.cells.prepare(c, &kv.table, 0, false)
}

func (kv *KeyValueStore[K, V]) settle(slot int, drop float64) { kv.table.settle(slot, drop) }

func (kv *KeyValueStore[K, V]) reload() error {
	from, to := storeRange(kv.store.id)
	_, any, err := engine.First(kv.stores.engine, from, to)
	kv.table.reset(!any && err == nil)
	return err
}

func (kv *KeyValueStore[K, V]) undo() error { return kv.takeBack() }

func (kv *KeyValueStore[K, V]) keep() { kv.forget() }

func (kv *KeyValueStore[K, V]) bytes() int { return kv.table.bytes() }
