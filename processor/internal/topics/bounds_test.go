package topics

import (
	"testing"
	"time"

	"github.com/millrace/millrace/processor/internal/graph"
	"github.com/millrace/millrace/windowing"
)

// TestTheStartWarnsOfBoundsThatDoNotFit: of a source that believes more than its
// sink takes, and of windows that end later, in a bounded run.
func TestTheStartWarnsOfBoundsThatDoNotFit(t *testing.T) {
	const hour = 3_600_000
	for name, c := range map[string]struct {
		after   int64
		bounded bool
		clamped bool
		want    int
	}{
		"wide":            {after: 25 * hour, bounded: true},
		"narrow":          {after: hour, want: 1},
		"narrow at ends":  {after: hour, bounded: true, want: 2},
		"clamped at ends": {after: hour, bounded: true, clamped: true},
	} {
		b := graph.NewBuilder("test")
		in := b.Add(graph.Node{Name: "source:in", Kind: graph.SourceNode, Topic: "in", Watermarks: windowing.Ascending()})
		op := b.Add(graph.Node{Name: "days", Kind: graph.OperatorNode, Windows: windowing.Tumbling(24 * time.Hour).Emit(windowing.OnClose)}, graph.Edge{From: in})
		b.Add(graph.Node{Name: "sink:out", Kind: graph.SinkNode, Topic: "out", Clamped: c.clamped}, graph.Edge{From: op})
		g, err := b.Build()
		if err != nil {
			t.Fatal(err)
		}
		found := &Catalog{limits: newLimits()}
		found.topics["out"] = &graph.Limits{After: c.after}
		if warnings := found.TooFar(g, time.UnixMilli(3*hour), c.bounded); len(warnings) != c.want {
			t.Errorf("%s: %v", name, warnings)
		}
	}
}
