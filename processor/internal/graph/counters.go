package graph

// A Reason says why a record went no further. The list is the only one: the
// dead-letter header, the metric label and the counters all use it.
type Reason uint8

// The reasons, in the order of their metric labels.
const (
	Late        Reason = iota // every window of the record is closed
	Future                    // further ahead than MaxAhead allows
	NullKey                   // no key, but the operator needs one
	NullValue                 // no value on a stream
	NoTimestamp               // a negative timestamp
	Decode                    // the key or the value could not be decoded
	Process                   // user code returned an error or panicked
	Refused                   // its result would be refused by the topic
	reasonCount
)

var reasonNames = [reasonCount]string{"late", "future", "null_key", "null_value", "no_timestamp", "decode", "process", "refused"}

func (r Reason) String() string { return reasonNames[r] }

// Failed reports whether an error is behind it, for which ErrorPolicy.OnError has the
// answer; the others are drops, which ErrorPolicy.Route sends on.
func (r Reason) Failed() bool { return r == Decode || r == Process || r == Refused }

// Reasons lists all reasons.
func Reasons() []Reason {
	all := make([]Reason, reasonCount)
	for i := range all {
		all[i] = Reason(i)
	}
	return all
}

// Counters are what one node has seen. In = Processed + the sum of Dropped,
// always: a record that fails is counted at its source, not where it failed.
// Only the task's owner touches them.
type Counters struct {
	In, Processed int64
	Dropped       [reasonCount]int64
	Lateness      Lateness // of the records dropped as late
}

// Add adds o to c.
func (c *Counters) Add(o *Counters) {
	c.In += o.In
	c.Processed += o.Processed
	for i, n := range o.Dropped {
		c.Dropped[i] += n
	}
	c.Lateness.Add(&o.Lateness)
}
