// Package invariant checks at run time what always holds, where a check is cheap
// and a violation would be found much later, as a wrong result. INVARIANTS.md has
// the numbers that the checks name. A check stands behind the constant Enabled,
//
//	if invariant.Enabled && next < last {
//		invariant.Violated("R3", "offset %d after %d", next, last)
//	}
//
// which is true under the build tag planted and under the race detector: in the
// simulation, in the hunts for planted bugs and in `make race`. What is shipped has
// no check in it. Pebble's package invariants is the model.
package invariant

import "fmt"

// Violated panics: invariant number does not hold, for the reason given.
func Violated(number, format string, args ...any) {
	panic(fmt.Sprintf("invariant %s is violated: %s", number, fmt.Sprintf(format, args...)))
}
