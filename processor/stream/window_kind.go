package stream

import (
	"github.com/millrace/millrace/processor/internal/graph"
	"github.com/millrace/millrace/schemaregistry/serde"
	"github.com/millrace/millrace/state"
	"github.com/millrace/millrace/windowing"
)

// A windowAggregation is the logic of one kind of windows over its store.
type windowAggregation interface {
	graph.Timed
	Add(key []byte, ts, judged windowing.EventTime) (late bool, err error)
	BeforeCommit() error
	GraceBefore(millis int64)
}

// sending is how the sequence of results comes about. What windows of a kind that
// does not remember what it has sent early send again after a fault counts as
// sent at commits.
func sending(w windowing.Definition) graph.Sending {
	switch {
	case windowing.Final(w):
		return graph.SendsFinals
	case w.Emission() == windowing.OnCommit || windowing.Repeats(w):
		return graph.SendsAtCommits
	}
	return graph.SendsInTurn
}

// An opener opens the store of an operator in one task and makes the
// aggregation over it.
type opener[K, V, A any] func(*windowed[K, V, A]) (windowAggregation, error)

// windowKind is what differs between the kinds of windows: the store, and the
// aggregation over it.
func windowKind[K, V, A any](name string, w windowing.Definition, value serde.Serde[A], combines bool) (state.Spec, opener[K, V, A]) {
	switch w := w.(type) {
	case windowing.SessionWindows:
		return sessions[K, V](name, w, value)
	case windowing.SlidingWindows:
		return slides[K, V](name, w, value)
	}
	aligned, _ := w.(windowing.Windows) // a Definition is nothing else
	handle := state.Windowed[state.Timestamped[A]]{Name: name, Value: state.TimestampedSerde(value)}
	spec, layout := handle.Spec(), aligned.Layout(combines)
	spec.Traits = append(spec.Traits, layout)
	return spec, func(o *windowed[K, V, A]) (windowAggregation, error) {
		store, err := handle.Open(o.env)
		if err != nil {
			return nil, err
		}
		emit := func(win windowing.Window, key []byte, v *state.Timestamped[A], at windowing.EventTime) error {
			return o.emit(win, key, &v.Value, at)
		}
		agg := windowing.NewAggregation(aligned, store, o.add, emit)
		if c := o.gathering.combine; !windowing.KeepsWindows(o.env.Stores(), name, layout, store) && c != nil {
			agg.Combining(*c)
		}
		return agg, nil
	}
}

func sessions[K, V, A any](name string, w windowing.SessionWindows, value serde.Serde[A]) (state.Spec, opener[K, V, A]) {
	handle := windowing.SessionStore(name, value)
	return handle.Spec(), func(o *windowed[K, V, A]) (windowAggregation, error) {
		store, err := handle.Open(o.env)
		if err != nil {
			return nil, err
		}
		return windowing.NewSessionAggregation(w, store, o.add, o.merge, o.emit)
	}
}

func slides[K, V, A any](name string, w windowing.SlidingWindows, value serde.Serde[A]) (state.Spec, opener[K, V, A]) {
	handle := windowing.SlidingStore(name, value)
	return handle.Spec(), func(o *windowed[K, V, A]) (windowAggregation, error) {
		store, err := handle.Open(o.env)
		if err != nil {
			return nil, err
		}
		codec, err := value.Bind(serde.Use{Role: serde.State, Name: name})
		if err != nil {
			return nil, err
		}
		return windowing.NewSlidingAggregation(w, store, codec, o.add, o.emit)
	}
}
