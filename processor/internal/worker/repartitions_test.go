package worker

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/millrace/millrace/processor/internal/graph"
	"github.com/millrace/millrace/schemaregistry/serde"
	"github.com/millrace/millrace/state"
)

// rekeying counts what comes by in behind a repartition topic.
func rekeying(t *testing.T) *graph.Topology {
	t.Helper()
	b := graph.NewBuilder("rekeying")
	in := b.Add(graph.Node{Name: "source:in", Kind: graph.SourceNode, Topic: "in", Instantiate: sourceOf})
	b.Add(graph.Node{Name: "to:by", Kind: graph.SinkNode, Topic: "by", Internal: true, Instantiate: sinkOf}, graph.Edge{From: in})
	by := b.Add(graph.Node{Name: "from:by", Kind: graph.SourceNode, Topic: "by", Internal: true, Instantiate: sourceOf})
	counts := state.KV[string, int64]{Name: "counts", Key: serde.String, Value: serde.Int64}
	b.AddStore("count", counts.Spec())
	op := b.Add(graph.Node{Name: "count", Kind: graph.OperatorNode, Stores: []string{counts.Name}, Instantiate: countOf(counts)}, graph.Edge{From: by})
	b.Add(graph.Node{Name: "sink:out", Kind: graph.SinkNode, Topic: "out", Instantiate: sinkOf}, graph.Edge{From: op})
	g, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// set returns what was set for a topic itself, as against a default of the
// broker's.
func (c *cluster) set(topic string) map[string]string {
	c.t.Helper()
	configs, err := kadm.NewClient(c.client()).DescribeTopicConfigs(c.t.Context(), topic)
	if err != nil {
		c.t.Fatal(err)
	}
	set := map[string]string{}
	for _, kv := range configs[0].Configs {
		if kv.Source == kmsg.ConfigSourceDynamicTopicConfig {
			set[kv.Key] = kv.MaybeValue()
		}
	}
	return set
}

// TestInternalTopicsKeepTheTimesOfTheirRecords: a broker may be set to stamp
// records with its own time, or to refuse those of long ago.
func TestInternalTopicsKeepTheTimesOfTheirRecords(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 1, "in", "out")
	w := newWitness(t)
	p := start(t, c.config(rekeying(t), state.NewMemory(), w))
	w.wait(t, "the start", func() bool { return len(w.restored) == 2 })
	p.end()
	for _, topic := range []string{"app-by-repartition", "app-counts-changelog"} {
		set := c.set(topic)
		for name, want := range map[string]string{
			"message.timestamp.type": "CreateTime", "message.timestamp.before.max.ms": "9223372036854775807",
			"message.timestamp.after.max.ms": "9223372036854775807",
		} {
			if set[name] != want {
				t.Errorf("%s was made with %s=%q, want %s", topic, name, set[name], want)
			}
		}
	}
	other := []kadm.AlterConfig{{Op: kadm.SetConfig, Name: "message.timestamp.type", Value: kadm.StringPtr("LogAppendTime")}}
	if _, err := kadm.NewClient(c.client()).AlterTopicConfigs(t.Context(), other, "app-by-repartition"); err != nil {
		t.Fatal(err)
	}
	mustFail(t, c.config(rekeying(t), state.NewMemory(), newWitness(t)),
		`"app-by-repartition" has message.timestamp.type=LogAppendTime`, "--entity-name app-by-repartition --add-config message.timestamp.type=CreateTime")
}
