package state

// Storage is where the stores of one process live. Its methods may be called from several goroutines; what Open
// returns belongs to one.
type Storage interface {
	// ProcessID is a UUID made when the storage was created, and kept with it.
	ProcessID() string
	// Note returns the small string kept under a legal name; "" if there is none.
	Note(name string) (string, error)
	// SetNote keeps value, at most 64 KiB, under name: after a crash the old or the new value is there.
	SetNote(name, value string) error
	// Open opens the stores of a task and makes what is missing. task is a legal name and may be open only once.
	// Stores that specs does not name any more are dropped. Errors wrap ErrCorrupt, ErrLocked, ErrReadOnly,
	// ErrNewerFormat, ErrOtherApplication or ErrIdentity where these apply.
	Open(task string, id Identity, specs []Spec) (*Stores, error)
	// Remove deletes all state of a task that is not open; it need not exist.
	Remove(task string) error
	// Quarantine puts all state of a task that is not open aside, so that Open begins empty. What was put aside is
	// deleted when FinishRestore has succeeded for the task; of more than four per task the oldest goes first.
	Quarantine(task string) error
	// Close releases the storage. Stores should be closed before.
	Close() error
}

// Identity is kept in the state of a task, so that a directory that was copied or renamed is noticed.
type Identity struct {
	// ApplicationID is the application.id.
	ApplicationID string
	// Task is the task's id, "0_3".
	Task string
}

// storeHooks are what stores call back in their storage.
type storeHooks struct {
	rebuilt func() error // the task's stores are whole again: quarantined copies may go
	closed  func()
}
