// Package stack takes down where a goroutine was, and puts it into words only
// for whoever reads it.
package stack

import (
	"fmt"
	"path"
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

// module is how the functions of Millrace itself begin.
const module = "github.com/millrace/millrace/"

// Place names where a panic came from, of whose recovery t is: the innermost
// function of user code, with its line. Where no user code is among the frames
// kept, it is the innermost function there is.
func (t Trace) Place() string {
	place, best, began := "", 0, false
	for frames, more := runtime.CallersFrames(t), len(t) > 0; more; {
		var f runtime.Frame
		f, more = frames.Next()
		if strings.HasPrefix(f.Function, "runtime.") {
			began = began || f.Function == "runtime.gopanic" // what comes before has recovered
			continue
		}
		if n := rank(f.Function, f.File); began && n > best {
			place, best = fmt.Sprintf("%s %s:%d", path.Base(f.Function), path.Base(f.File), f.Line), n
		}
	}
	return place
}

// rank says how well a function fits for one of user code: 3 is the user's, 2 is
// of the standard library, 1 is of Millrace.
func rank(function, file string) int {
	if own, ok := strings.CutPrefix(function, module); ok && !strings.HasPrefix(own, "cmd/") && !strings.HasSuffix(file, "_test.go") {
		return 1
	}
	dir, last := path.Split(function)
	name, _, _ := strings.Cut(last, ".")
	if pkg := dir + name; strings.HasSuffix(path.Dir(file), "/src/"+pkg) || path.Dir(file) == pkg { // the latter with -trimpath
		return 2
	}
	return 3
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
