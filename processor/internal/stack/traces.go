package stack

import (
	"runtime"
	"slices"
	"sync"
)

// tracesKept bounds the places that Traces knows: few are those from which user code
// panics again and again.
const tracesKept = 8

// Traces takes traces down and knows the last ones. To find names for the addresses
// costs more than all else that a panic does, and where user code panics over every
// hundredth record it is always from the same few places. It belongs to one goroutine.
//
// Rejected: to look the names up at each panic, which then cost 33 us of CPU
// with its dead letter instead of 8.
type Traces struct {
	known [tracesKept]*Told
	next  int // to be forgotten
}

// A Told is a trace in words. Any goroutine may read it.
type Told struct {
	Place string // see Trace.Place
	trace Trace
	text  func() string // made when somebody reads it first
}

func (t *Told) String() string { return t.text() }

// Of returns the trace of the caller, without its first skip functions.
func (k *Traces) Of(skip int) *Told {
	var frames [framesKept]uintptr
	n := runtime.Callers(skip+2, frames[:]) // nor Callers and Of
	for _, told := range k.known {
		if told != nil && slices.Equal(told.trace, frames[:n]) {
			return told
		}
	}
	trace := append(Trace(nil), frames[:n]...)
	told := &Told{Place: trace.Place(), trace: trace, text: sync.OnceValue(trace.String)}
	k.known[k.next] = told
	k.next = (k.next + 1) % tracesKept
	return told
}
