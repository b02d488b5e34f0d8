package stream

import (
	"fmt"
	"slices"

	"github.com/millrace/millrace/schemaregistry/serde"
	"github.com/millrace/millrace/windowing"
)

// A lineage is what a stream knows of the operators before it, so that Build
// can refuse what cannot be right behind them. It travels with the records,
// whatever becomes of their keys and values, up to the next aggregate.
type lineage struct {
	// rekeyed says which operator has records of one key in several partitions,
	// and what it did; empty if none.
	rekeyed string
	// updates says which operator sends a result again when it has changed, when
	// it does so, and what to do; empty if what comes is final.
	updates string
	// windows has the serdes that keys had where their windows were made; empty
	// once the key was changed.
	windows []any
}

// merged is the lineage of two streams made one, apart from rekeyed.
func (l lineage) merged(other lineage) lineage {
	if l.updates == "" {
		l.updates = other.updates
	}
	l.windows = slices.Concat(l.windows, other.windows)
	return l
}

// fits reports to Build where keys of windows that come would be written with
// a serde for others.
func (s Stream[K, V]) fits(operator string, keys serde.Serde[K]) {
	if err := windowing.Misfit(keys, s.windows...); err != nil {
		s.b.graph.Fail("%s: %w", operator, err)
	}
}

// EachUpdate says that each record of a stream counts by itself: also where an
// operator before sends a result again when it has changed. Without it Build
// refuses to group or repartition such results, because what gathers them takes
// one window for several: a sum over counts that came as 1, 2 and 3 is 6.
//
// That is right where the updates are what is asked about, such as how often a
// result was corrected. How many there are depends on the emission:
//
//   - after OnUpdate it follows from the log;
//   - after OnCommit, which is what windows and tables do by default, it depends
//     on when commits come, and is not the same in a replay.
//
// Tombstones are no records to what groups them, and are dropped. On final
// results EachUpdate changes nothing. It adds no operator.
func EachUpdate[K, V any](s Stream[K, V]) Stream[K, V] {
	s.updates = ""
	return s
}

// final reports to Build what would gather results that are not final. The
// stream it returns is not complained about again.
func (s Stream[K, V]) final(operator string) Stream[K, V] {
	if s.updates != "" {
		s.b.graph.Fail("%s: %s; or, if each of them is meant to count as a record of its own, pass the stream through stream.EachUpdate", operator, s.updates)
	}
	return EachUpdate(s)
}

// windowUpdates is lineage.updates behind windows.
func windowUpdates(name string, w windowing.Definition) string {
	if windowing.Final(w) {
		return ""
	}
	how := fmt.Sprint(w.Emission())
	if w.Emission() == windowing.OnClose {
		how = "on-close, with Early"
	}
	return fmt.Sprintf("the results of operator %q are not final (emission %s), so one window would be gathered once for each time it is sent%s; "+
		"give its windows .Emit(windowing.OnClose), without Early", name, how, byCommits(w.Emission()))
}

// tableUpdates is lineage.updates behind a table. Every change of one that is
// sent follows from the log.
func tableUpdates(name string, emit windowing.Emit) string {
	if emit != windowing.OnCommit {
		return ""
	}
	return fmt.Sprintf("the changes of table %q are sent at commits (emission %s), so a key would be gathered once for each commit after which it has changed%s; "+
		"give the table stream.Emit(windowing.OnUpdate), so that every change comes", name, emit, byCommits(emit))
}

func byCommits(emit windowing.Emit) string {
	if emit != windowing.OnCommit {
		return ""
	}
	return ", and how often that is depends on when commits come"
}
