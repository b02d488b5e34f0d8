package stream

import (
	"slices"

	"github.com/millrace/millrace/schemaregistry/serde"
	"github.com/millrace/millrace/state"
)

// The kinds of aggregates, as they are kept with their state.
const (
	countKind     = "count"
	reduceKind    = "reduce"
	aggregateKind = "aggregate"
	suppressKind  = "suppress"
	processKind   = "process"
)

// StateVersion declares which version of its state an operator keeps. Millrace sees by itself when the windows, the kind
// of aggregate or the serdes of an operator have changed over kept state, and refuses to read one thing as another; it
// does not see into functions. Who changes what a function gathers, as from a sum to a maximum, declares another
// version: the start is then refused until the state is given up, instead of going on with a mixture. Without it the
// version is empty.
func StateVersion(version string) Option { return func(o *options) { o.version = version } }

// stateOf is the spec of an operator's store with everything that gives its bytes their meaning. The keys of a store are
// those of the records, whatever its handle says of their bytes.
func stateOf[K any](spec state.Spec, kind string, keys serde.Serde[K], version string, more ...state.Trait) state.Spec {
	spec.Traits = slices.DeleteFunc(spec.Traits, func(t state.Trait) bool { return t.Name == "keys" })
	spec.Traits = append(spec.Traits, state.Trait{Name: "operator", Value: kind}, state.KeyFormat("keys", keys))
	spec.Traits = append(spec.Traits, more...)
	spec.Traits = append(spec.Traits, state.Trait{Name: "version", Value: version})
	return spec
}
