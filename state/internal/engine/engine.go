// Package engine keeps ordered bytes: memory and Pebble behind one small interface. It is the only importer of
// Pebble, and it knows nothing of stores, keys or changelogs.
package engine

import "errors"

// Sentinel errors of every engine. The text around them names the directory and says what to do next.
var (
	// ErrCorrupt says that stored bytes are damaged. Nothing read from the engine can be trusted any more.
	ErrCorrupt = errors.New("corrupt")
	// ErrLocked says that the directory is in use by another process, or twice by this one.
	ErrLocked = errors.New("in use")
	// ErrReadOnly says that the directory cannot be written.
	ErrReadOnly = errors.New("read-only")
	// ErrNewerFormat says that the data was written by a newer version of the software.
	ErrNewerFormat = errors.New("newer format")
)

// ErrStop ends a Scan early and without error when its callback returns it.
var ErrStop = errors.New("stop")

// Engine is an ordered map from bytes to bytes that changes only by whole batches.
//
// What always holds: a batch is applied entirely or not at all, and after a crash the content is that of some
// prefix of the applied batches, in their order; Flush makes the prefix whole. An engine belongs to one goroutine.
// Once a call has failed with anything but an error of a callback, the engine must only be closed.
type Engine interface {
	// Get appends the value of key to dst and returns the extended slice; false if there is no such key.
	Get(dst, key []byte) (value []byte, ok bool, err error)
	// Scan calls fn for each pair with from <= key < to, ascending; from is not empty. The bytes are valid during the call only. fn may
	// read from the engine. An error of fn ends the scan and is returned, except ErrStop.
	Scan(from, to []byte, fn func(key, value []byte) error) error
	// NewBatch returns an empty batch of this engine.
	NewBatch() Batch
	// Apply applies b atomically. b is spent afterwards: only Reset may follow.
	Apply(b Batch) error
	// Flush makes everything applied so far survive a crash. It blocks on the disk.
	Flush() error
	// FlushSoon starts what Flush does and does not wait for it.
	FlushSoon() error
	// Close releases the engine. What was applied since the last flush may be lost, which is no error: it is there
	// again after a replay. Where the disk has failed and a write still waits for it, Close does not wait too: it
	// fails, and the engine cannot be opened again before there is space or the process has ended.
	Close() error
}

// Batch collects changes. All arguments are copied. Where changes overlap the later one holds.
type Batch interface {
	// Set puts value under key.
	Set(key, value []byte) error
	// Delete removes key, present or not.
	Delete(key []byte) error
	// DeleteRange removes all keys with from <= key < to.
	DeleteRange(from, to []byte) error
	// Size is about the number of bytes collected.
	Size() int
	// Reset empties the batch for further use.
	Reset()
}

// First returns a copy of the lowest key with from <= key < to; false if there is none.
func First(e Engine, from, to []byte) (key []byte, ok bool, err error) {
	err = e.Scan(from, to, func(k, _ []byte) error {
		key, ok = append([]byte(nil), k...), true
		return ErrStop
	})
	return key, ok, err
}
