//go:build synctests

package sim

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/millrace/millrace/processor/internal/graph"
	"github.com/millrace/millrace/processor/stream"
	"github.com/millrace/millrace/schemaregistry/serde"
	"github.com/millrace/millrace/windowing"
)

const application = "sim"

// The topics that a run writes.
const (
	countsTopic     = "out-counts"
	finalsTopic     = "out-finals"
	finalsLateTopic = "out-finals-late"
	latestTopic     = "out-latest"
	latestLateTopic = "out-latest-late"
	mappedTopic     = "out-mapped"
	deadTopic       = "out-dead"
)

// A tally is what every aggregate of a run keeps: how many records, the offset
// of the last one, and a number that depends on all of them and their order.
type tally struct {
	N, Last int64
	Mix     uint64
}

func (t tally) add(offset int64) tally {
	return tally{N: t.N + 1, Last: offset, Mix: t.Mix*1_000_003 + uint64(offset) + 1}
}

// Values that make trouble begin with one of these.
const (
	garbled = "!" // cannot be decoded
	poison  = "p" // fails in the mapping, after the count has taken it
)

// strict is text that refuses garbled values.
type strict struct{}

func (strict) Append(dst []byte, v string) ([]byte, error) { return append(dst, v...), nil }

func (strict) Decode(src []byte) (string, error) {
	if strings.HasPrefix(string(src), garbled) {
		return "", errors.New("garbled")
	}
	return string(src), nil
}

var text = serde.Of[string](strict{})

func (o *Options) windows() windowing.Windows {
	w := windowing.Tumbling(o.Size)
	if o.Advance != o.Size {
		w = windowing.Hopping(o.Size, o.Advance)
	}
	return w.Grace(o.Grace)
}

func (o *Options) watermarks() windowing.Watermarks {
	w := windowing.Bounded(o.Bound)
	if o.Idle > 0 {
		w = w.Idle(o.Idle)
	}
	if o.Clocked {
		w = w.FollowClock(o.Bound + o.Margin)
	}
	return w
}

// An app is the application of a run.
type app struct {
	o *Options
	// called is told of each record that user code sees, and may take its time.
	called func(place)
}

func (a *app) aggregator() stream.TryAggregator[string, string, tally] {
	return stream.TryAggregator[string, string, tally]{
		State: serde.JSON[tally](),
		Add: func(c *stream.Context, _ *stream.Record[string, string], acc tally) (tally, error) {
			origin, _ := c.Origin()
			a.called(place{origin.Topic, origin.Partition})
			return acc.add(origin.Offset), nil
		},
	}
}

// topology builds the graph.
func (a *app) topology() (*graph.Topology, error) {
	o := a.o
	b := stream.New("sim")
	if o.Trouble || o.Far {
		b.DeadLetter(deadTopic, stream.Future, stream.NullKey, stream.NullValue)
	}
	sources := map[string]stream.Stream[string, string]{}
	for _, topic := range o.sources() {
		sources[topic] = stream.From(b, stream.Topic[string, string]{Name: topic, Key: serde.String, Value: text},
			stream.Watermark(o.watermarks()))
	}
	for _, w := range o.Workloads {
		a.attach(w, sources[o.source(w)])
	}
	return b.Build()
}

func (a *app) attach(workload string, s stream.Stream[string, string]) {
	switch workload {
	case countEach:
		t := stream.TryAggregate("count", stream.GroupByKey(s), a.aggregator(), stream.Emit(windowing.OnUpdate))
		stream.To(t.Changes(), stream.Topic[string, tally]{Name: countsTopic, Key: serde.String, Value: serde.JSON[tally]()})
	case countWindows:
		a.attachWindows(s, "windows", windowing.OnClose, finalsTopic, finalsLateTopic)
	case lastWindows:
		a.attachWindows(s, "latest", windowing.OnCommit, latestTopic, latestLateTopic)
	case mapEach:
		m := stream.TryMapValues(s, a.mapValue, stream.Name("map"))
		stream.To(m, stream.Topic[string, string]{Name: mappedTopic, Key: serde.String, Value: serde.String})
	case regroup:
		a.attachRegroup(s)
	case chain:
		a.attachChain(s)
	}
}

func (a *app) attachWindows(s stream.Stream[string, string], store string, emit windowing.Emit, results, late string) {
	w := stream.TryAggregateWindows(store, stream.Window(stream.GroupByKey(s), a.o.windows().Emit(emit)), a.aggregator())
	stream.To(w.Results, stream.Topic[windowing.Key[string], tally]{
		Name: results, Key: windowing.KeySerde(serde.String, a.o.Size), Value: serde.JSON[tally](),
	})
	stream.To(w.Late, stream.Topic[string, string]{Name: late, Key: serde.String, Value: text})
}

func (a *app) mapValue(c *stream.Context, r *stream.Record[string, string]) (string, error) {
	origin, _ := c.Origin()
	a.called(place{origin.Topic, origin.Partition})
	if strings.HasPrefix(r.Value, poison) {
		return "", errors.New("poison")
	}
	return mapped(r.Value, origin.Partition, origin.Offset), nil
}

func mapped(value string, partition int32, offset int64) string {
	return fmt.Sprintf("%s@%d:%d", value, partition, offset)
}

// farFuture is beyond anything MaxAhead believes.
var farFuture = time.Date(2085, 1, 1, 0, 0, 0, 0, time.UTC)
