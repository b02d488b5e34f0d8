package windowing

import "fmt"

// Emit says when a windowed operator sends the value of a key and window on. The final value is the same in all modes.
type Emit uint8

const (
	// OnCommit sends the last value at each commit after which it has changed, and when the window closes if it has
	// changed since. It is the default: a read-committed consumer sees nothing more often anyway.
	OnCommit Emit = iota
	// OnClose sends the value once, when the window closes.
	OnClose
	// OnUpdate sends the value after each change.
	OnUpdate
	// OnTime sends the value when the merged watermark reaches the window's end, and once more after each change from
	// then on until the window closes. It is OnClose without grace, and with grace a first result that does not wait.
	// A session's end is reached when the watermark is more than the gap beyond its last record, a sliding window's
	// when the watermark is beyond its last instant.
	OnTime
)

// String is the mode's name in error texts and descriptions: "on-commit", "on-close", "on-update", "on-time".
func (e Emit) String() string {
	switch e {
	case OnCommit:
		return "on-commit"
	case OnClose:
		return "on-close"
	case OnUpdate:
		return "on-update"
	case OnTime:
		return "on-time"
	}
	return fmt.Sprintf("emit %d", uint8(e))
}
