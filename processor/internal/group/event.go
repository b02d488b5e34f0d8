package group

// An EventKind says what an Event is about.
type EventKind uint8

// The kinds of events, with the fields that they use.
const (
	Assigned EventKind = iota // partitions: all that are ours now
	Revoked                   // partitions: to be given up after a commit
	Lost                      // partitions: others may have them already
	Broken                    // err: the group cannot be joined
)

// An Event is what the group has to say. It belongs to whoever has received it.
type Event struct {
	Kind       EventKind
	Partitions map[string][]int32
	Added      map[string][]int32 // assigned: what the client believes is new
	Coming     int                // assigned: how many more tasks will be ours
	Who        Identity           // assigned: under which name
	Err        error
	Done       chan struct{} // closed by the worker; the group client waits for it
}
