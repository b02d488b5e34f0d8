package topics

import (
	"context"
	"reflect"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/millrace/millrace/processor/internal/graph"
	"github.com/millrace/millrace/schemaregistry/serde"
	"github.com/millrace/millrace/state"
)

// A member knows the stores of its topology.
func TestStoresOfTheTopologyAreKnown(t *testing.T) {
	c, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(2, "in", "out"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	client, err := kgo.NewClient(kgo.SeedBrokers(c.ListenAddrs()...), kgo.MetadataMinAge(100*time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	b := graph.NewBuilder("counting")
	in := b.Add(graph.Node{Name: "source:in", Kind: graph.SourceNode, Topic: "in"})
	counts := state.KV[string, int64]{Name: "counts", Key: serde.String, Value: serde.Int64}
	b.AddStore("count", counts.Spec())
	op := b.Add(graph.Node{Name: "count", Kind: graph.OperatorNode, Stores: []string{counts.Name}}, graph.Edge{From: in})
	b.Add(graph.Node{Name: "sink:out", Kind: graph.SinkNode, Topic: "out"}, graph.Edge{From: op})
	g, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	cfg := Config{ApplicationID: "app", Graph: g, ExactlyOnce: true, Warn: func(err error) { t.Log(err) }}
	found, err := Check(context.Background(), cfg, client)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := found.Layout.Stores, [][]string{{"counts"}}; !reflect.DeepEqual(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
