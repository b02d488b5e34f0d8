package graph

import (
	"slices"
	"strings"
	"testing"
)

func TestCompletenessTopics(t *testing.T) {
	for name, c := range map[string]struct {
		second Node
		err    string // empty: it is fine
	}{
		"alone":                               {Node{Name: "s2", Kind: SinkNode, Topic: "other"}, ""},
		"two sinks":                           {Node{Name: "s2", Kind: SinkNode, Topic: "out"}, `sink "s2" writes there too`},
		"a sink in its way":                   {Node{Name: "s2", Kind: SinkNode, Topic: "out.watermarks"}, `cannot be used by "s2"`},
		"a repartition called like the topic": {Node{Name: "s2", Kind: SinkNode, Topic: "out", Internal: true}, ""},
		"a repartition called like it":        {Node{Name: "s2", Kind: SinkNode, Topic: "out.watermarks", Internal: true}, ""},
		"it is read as well":                  {Node{Name: "s2", Kind: SourceNode, Topic: "out.watermarks"}, `cannot be used by "s2"`},
	} {
		t.Run(name, func(t *testing.T) {
			b := NewBuilder("app")
			in := Edge{From: b.Add(Node{Name: "from", Kind: SourceNode, Topic: "in"})}
			b.Add(Node{Name: "s1", Kind: SinkNode, Topic: "out", Completeness: "out.watermarks"}, in)
			if c.second.Kind == SourceNode {
				b.Add(c.second)
			} else {
				b.Add(c.second, in)
			}
			topology, err := b.Build()
			if c.err != "" {
				if err == nil || !strings.Contains(err.Error(), c.err) {
					t.Errorf("no %q in %v", c.err, err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if sinks := topology.SinkTopics(); !slices.Contains(sinks, "out.watermarks") || !slices.Contains(topology.Bind("app").SinkTopics(), "out.watermarks") {
				t.Errorf("the sinks are %q", sinks)
			}
			if !strings.Contains(topology.Describe(), "s1 (topic: out) (completeness: out.watermarks)") {
				t.Errorf("not described: %s", topology.Describe())
			}
		})
	}
}
