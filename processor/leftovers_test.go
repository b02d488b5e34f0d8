package processor_test

import (
	"maps"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

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
	t.Parallel()
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
	t.Parallel()
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

// Records of another application whose topic has the same name are not deleted, nor
// counted: the start is refused.
func TestLeftoversOfAnotherApplication(t *testing.T) {
	t.Parallel()
	c := newCluster(t, "words", "counts", "dead")
	c.produce(word("a", "x"))
	counting := func(name string) func(*stream.Builder) {
		return func(b *stream.Builder) {
			in := stream.From(b, stream.Topic[string, string]{Name: "words", Key: serde.String, Value: serde.String})
			by := stream.GroupBy(name, in, func(k, _ string) string { return k }, serde.String, serde.String)
			stream.To(stream.Count("of"+name, by).Changes(), stream.Topic[string, int64]{Name: "counts", Key: serde.String, Value: serde.Int64})
		}
	}
	theirs, ours := *c, *c
	theirs.cfg.ApplicationID, theirs.cfg.StateDir = "a-b", t.TempDir()
	if err := theirs.run(counting("c")); err != nil {
		t.Fatal(err)
	}
	starts := c.logStarts("a-b-c-repartition")
	if err := c.produceOne("a-b-c-repartition"); err != nil {
		t.Fatal(err)
	}
	ours.cfg.ApplicationID = "a"
	err := ours.run(counting("b-c"))
	if err == nil || !strings.Contains(err.Error(), `it may belong to group "a-b"`) {
		t.Errorf("the run came to %v", err)
	}
	if now := c.logStarts("a-b-c-repartition"); !maps.Equal(now, starts) {
		t.Errorf("records were deleted: the log begins at %v, and at %v before", now, starts)
	}
}

// A start that is refused has deleted nothing: who brings the offsets back finds
// the records that nobody has read.
func TestARefusedStartDeletesNothing(t *testing.T) {
	t.Parallel()
	r := newRig(t, false)
	r.put(12)
	version := byThe("by")
	if err := r.deploy(version); err != nil {
		t.Fatal(err)
	}
	c := &cluster{t: t}
	c.cfg.Brokers = r.broker.ListenAddrs()
	starts := c.logStarts("app-by-repartition")
	if err := c.produceOne("app-by-repartition"); err != nil {
		t.Fatal(err)
	}
	if _, err := kadm.NewClient(r.client).DeleteGroup(t.Context(), "app"); err != nil {
		t.Fatal(err)
	}
	if err := r.deploy(version); err == nil {
		t.Error("a start without the offsets of its state is not refused")
	}
	if now := c.logStarts("app-by-repartition"); !maps.Equal(now, starts) {
		t.Errorf("records were deleted: the log begins at %v, and at %v before", now, starts)
	}
}

func (c *cluster) logStarts(topic string) map[int32]int64 {
	c.t.Helper()
	offsets, err := c.admin().ListStartOffsets(c.t.Context(), topic)
	if err != nil {
		c.t.Fatal(err)
	}
	starts := map[int32]int64{}
	offsets.Each(func(o kadm.ListedOffset) { starts[o.Partition] = o.Offset })
	return starts
}

func (c *cluster) produceOne(topic string) error {
	return c.client().ProduceSync(c.t.Context(), &kgo.Record{Topic: topic, Key: []byte("k"), Value: []byte("v")}).FirstErr()
}
