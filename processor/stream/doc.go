// Package stream is the typed DSL: how an application says what it does.
//
//	b := stream.New("clicks")
//	clicks := stream.From(b, Clicks)
//	perMinute := stream.CountWindows("clicks-1m",
//		stream.Window(stream.GroupByKey(clicks), windowing.Tumbling(time.Minute)))
//	stream.To(perMinute.Results, PerMinute)
//	topology, err := b.Build()
//
// Operators that keep both types are methods (Filter, Peek, Merge, Branch);
// those that change one are functions (Map, MapValues, Count). A plain name
// takes a pure function; a name that begins with Try takes one that sees the
// whole record and may fail. Whatever owns state takes its name first, because
// that name is part of the changelog topic. Process runs what none of the others
// does.
//
// Mistakes in the wiring are collected and reported by Build, all at once.
// Building is not safe for concurrent use; the topology that comes out is.
package stream
