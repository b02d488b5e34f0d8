package processor_test

import (
	"maps"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/millrace/millrace/processor/stream"
	"github.com/millrace/millrace/schemaregistry/serde"
)

// byThe counts keys by way of a repartition topic of that name, in a store of that
// name.
func byThe(name string) deployed {
	return func(b *stream.Builder) {
		by := stream.GroupBy(name, stream.From(b, deployIn), func(k, _ string) string { return k }, serde.String, serde.String)
		stream.To(stream.Count("of"+name, by).Changes(), deployOut)
	}
}

// A reset forgets the topics of all versions that have run, also where the one at
// hand does not know them: what stayed there would be counted again by the next
// that does.
func TestResetForgetsOtherVersions(t *testing.T) {
	for _, with := range []string{"a list", "the topology", "nothing"} {
		t.Run(with, func(t *testing.T) {
			r := newRig(t, false)
			first, second := byThe("by1"), byThe("by2")
			r.put(12)
			for _, version := range []deployed{first, second} {
				if err := r.deploy(version); err != nil {
					t.Fatal(err)
				}
				r.put(12)
			}
			c := &cluster{t: t}
			c.cfg.ApplicationID, c.cfg.Brokers, c.cfg.StateDir = "app", r.broker.ListenAddrs(), r.dir
			cfg := c.resetConfig()
			switch with {
			case "a list":
				cfg.InternalTopics = []string{"app-by1-repartition", "app-ofby1-changelog"}
			case "the topology":
				cfg.Topology = c.topology(first)
			}
			c.reset(cfg)
			for _, topic := range c.topics().Names() {
				if strings.HasPrefix(topic, "app-") {
					t.Errorf("the topic %q is left", topic)
				}
			}
			if err := r.deploy(second); err != nil {
				t.Fatal(err)
			}
			want := map[string]string{`"k0"`: "12", `"k1"`: "12", `"k2"`: "12"}
			if got := r.last("out"); !maps.Equal(got, want) {
				t.Errorf("counted %v, want %v", got, want)
			}
		})
	}
}

// What an earlier life has left in a repartition topic is not counted again by a
// version that comes later and knows it, whoever has forgotten to delete it.
func TestLeftoversAreNotCounted(t *testing.T) {
	r := newRig(t, false)
	r.put(12)
	second := byThe("by2")
	if err := r.deploy(second); err != nil {
		t.Fatal(err)
	}
	admin := kadm.NewClient(r.client)
	if _, err := admin.DeleteGroup(t.Context(), "app"); err != nil {
		t.Fatal(err)
	}
	if _, err := admin.DeleteTopics(t.Context(), "app-ofby2-changelog"); err != nil {
		t.Fatal(err)
	}
	r.dir = t.TempDir()
	for _, version := range []deployed{byThe("by1"), second} {
		if err := r.deploy(version); err != nil {
			t.Fatal(err)
		}
		r.put(12)
	}
	if err := r.deploy(second); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{`"k0"`: "8", `"k1"`: "8", `"k2"`: "8"}
	if got := r.last("out"); !maps.Equal(got, want) {
		t.Errorf("counted %v, want %v", got, want)
	}
}
