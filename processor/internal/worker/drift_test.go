package worker

import (
	"fmt"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/millrace/millrace/processor/internal/graph"
	"github.com/millrace/millrace/state"
	"github.com/millrace/millrace/windowing"
)

// drifting copies two topics to one, both with a MaxDrift.
func drifting(t *testing.T) *graph.Topology {
	t.Helper()
	b := graph.NewBuilder("drifting")
	var parents []graph.Edge
	for _, topic := range []string{"in", "also"} {
		rule := windowing.Ascending().MaxDrift(100 * time.Millisecond)
		n := b.Add(graph.Node{Name: "source:" + topic, Kind: graph.SourceNode, Topic: topic, Watermarks: rule, Instantiate: sourceOf})
		parents = append(parents, graph.Edge{From: n})
	}
	b.Add(graph.Node{Name: "sink:out", Kind: graph.SinkNode, Topic: "out", Instantiate: sinkOf}, parents...)
	g, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// Of two aligned inputs of one task the one that is behind goes on far ahead of
// where it was. Neither keeps the other from going on, nor does a restart change
// that.
func TestAlignedInputsGoOn(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 1, "in", "also", "out")
	put := func(topic string, times ...int64) {
		t.Helper()
		for _, at := range times {
			r := &kgo.Record{Topic: topic, Key: []byte("k"), Value: []byte(fmt.Sprint(topic, at)), Timestamp: time.UnixMilli(at)}
			if err := c.client().ProduceSync(t.Context(), r).FirstErr(); err != nil {
				t.Fatal(err)
			}
		}
	}
	storage := state.NewMemory()
	put("in", 100)
	put("also", 100, 200, 300, 400, 500, 600)
	p := start(t, c.config(drifting(t), storage, newWitness(t)))
	c.output("out", 7)
	p.end()
	put("in", 1000) // the task waits for both, as it knows that they are there
	put("also", 700, 800)
	p = start(t, c.config(drifting(t), storage, newWitness(t)))
	c.output("out", 10)
	p.end()
}
