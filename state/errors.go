package state

import (
	"errors"
	"fmt"

	"github.com/millrace/millrace/state/internal/engine"
)

// Sentinel errors, found with errors.Is. The texts around them say which store or directory and what to do next.
var (
	// ErrCorrupt says that a task's stored bytes are damaged. Answer: close the stores, Storage.Quarantine, open again
	// and restore from the changelogs.
	ErrCorrupt = engine.ErrCorrupt
	// ErrLocked says that a state directory is in use by another process, or a task by another part of this one.
	ErrLocked = engine.ErrLocked
	// ErrReadOnly says that a state directory cannot be written.
	ErrReadOnly = engine.ErrReadOnly
	// ErrNewerFormat says that state, or a changelog record, was written by a newer version of Millrace.
	ErrNewerFormat = engine.ErrNewerFormat
	// ErrOtherApplication says that a state directory belongs to another application id.
	ErrOtherApplication = errors.New("state of another application")
	// ErrIdentity says that a task's directory holds the state of another task or application: it was copied or
	// renamed.
	ErrIdentity = errors.New("state of another task")
	// ErrEncode says that a value that was put into a store cannot be encoded by its serde. An EntryError says where.
	ErrEncode = errors.New("the value cannot be encoded")
	// ErrTooLarge says that an entry of a store is larger than its changelog takes. An EntryError says where.
	ErrTooLarge = errors.New("the entry is too large for the changelog")
	// ErrMeaning says that the bytes of a store are those of another kind of store.
	ErrMeaning = errors.New("state of another meaning")
	// ErrForeign says that bytes are not what this package writes: a changelog with records of another program, or a
	// position that cannot be decoded.
	ErrForeign = errors.New("not written by Millrace")
)

// An EntryError is one entry of a store that cannot be committed. It wraps ErrEncode or ErrTooLarge.
type EntryError struct {
	Store string
	Err   error
}

func (e *EntryError) Error() string { return fmt.Sprintf("state: store %q: %v", e.Store, e.Err) }

func (e *EntryError) Unwrap() error { return e.Err }
