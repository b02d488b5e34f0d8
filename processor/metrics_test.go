package processor

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/millrace/millrace/processor/internal/graph"
)

// TestDropsOfStatelessOperatorsAreExported: a Map drops tombstones, and nobody
// else can tell. What it lets through it does not count.
func TestDropsOfStatelessOperatorsAreExported(t *testing.T) {
	b := graph.NewBuilder("app")
	in := b.Add(graph.Node{Name: "source", Kind: graph.SourceNode, Topic: "in"})
	mapped := b.Add(graph.Node{Name: "map", Kind: graph.OperatorNode}, graph.Edge{From: in})
	topology, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	reg := prometheus.NewPedanticRegistry()
	m, err := newMetrics(reg, "app", topology, newTimes())
	if err != nil {
		t.Fatal(err)
	}
	seen := make([]graph.Counters, 2)
	seen[in].In, seen[in].Processed = 3, 3
	seen[mapped].In, seen[mapped].Dropped[graph.NullValue] = 2, 2
	m.count(seen)
	want := []string{"dropped map null_value 2", "in source 3", "processed source 3"}
	if got := nodeCounts(t, reg); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// nodeCounts lists the counters of nodes that are not 0, in order.
func nodeCounts(t *testing.T, reg prometheus.Gatherer) (all []string) {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		name, ok := strings.CutPrefix(f.GetName(), "millrace_node_records_")
		for _, x := range f.Metric {
			if !ok || x.Counter.GetValue() == 0 {
				continue
			}
			text := strings.TrimSuffix(name, "_total")
			for _, l := range x.Label[1:] { // behind the application id
				text += " " + l.GetValue()
			}
			all = append(all, fmt.Sprint(text, " ", x.Counter.GetValue()))
		}
	}
	slices.Sort(all)
	return all
}
