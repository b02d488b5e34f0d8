// Package stack takes down where a goroutine was, and puts it into words only
// for whoever reads it.
package stack

import (
	"fmt"
	"runtime"
	"strings"
)

// framesKept bounds the frames of a trace: those that are nearest, which say
// where something happened.
const framesKept = 12

// A Trace is the functions that were called, the last one first. It is a few
// addresses: some applications panic over every hundredth record, and nobody reads
// most of what they have to say.
type Trace []uintptr

// Of returns the trace of the caller, without its first skip functions.
func Of(skip int) Trace {
	var frames [framesKept]uintptr
	n := runtime.Callers(skip+2, frames[:]) // nor Callers and Of
	return append(Trace(nil), frames[:n]...)
}

// String names each function and its place, one a line.
func (t Trace) String() string {
	var b strings.Builder
	for frames, more := runtime.CallersFrames(t), len(t) > 0; more; {
		var f runtime.Frame
		f, more = frames.Next()
		fmt.Fprintf(&b, "%s %s:%d\n", f.Function, f.File, f.Line)
	}
	return b.String()
}
