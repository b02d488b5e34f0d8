package processor_test

import (
	"maps"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/millrace/millrace/processor/internal/graph"
	"github.com/millrace/millrace/processor/stream"
	"github.com/millrace/millrace/schemaregistry/serde"
)

// countedBy counts behind a GroupBy of that name.
func countedBy(name string) deployed {
	return func(b *stream.Builder) {
		grouped := stream.GroupBy(name, stream.From(b, deployIn), func(k, _ string) string { return k }, serde.String, serde.String)
		stream.To(stream.Count("n", grouped).Changes(), deployOut)
	}
}

// A store that is fed by other topics than before is refused where records would be lost or come twice, and goes on where
// nothing can.
func TestStoreFedByOtherTopics(t *testing.T) {
	t.Parallel()
	t.Run("another name, nothing under way", func(t *testing.T) {
		r := newRig(t, false)
		r.put(firstRecords)
		for _, version := range []deployed{countedBy("one"), countedBy("two")} {
			if err := r.deploy(version); err != nil {
				t.Fatal(err)
			}
			r.put(nextRecords)
		}
		r.end()
		if err := r.deploy(countedBy("two")); err != nil {
			t.Fatal(err)
		}
		mustEqual(t, r.last("out"), alone(t, countedBy("two"), firstRecords+2*nextRecords))
	})
	for name, versions := range map[string][2]deployed{"left out": {countedBy("one"), counted("n")}, "added": {counted("n"), countedBy("one")}} {
		t.Run("a GroupBy "+name, func(t *testing.T) {
			r := newRig(t, false)
			r.put(firstRecords)
			if err := r.deploy(versions[0]); err != nil {
				t.Fatal(err)
			}
			r.put(nextRecords)
			mustRefuse(t, r.deploy(versions[1]), "app-one-repartition", `topic "in"`, "another name", "millrace reset")
			r.end()
			if err := r.deploy(versions[0]); err != nil {
				t.Fatal(err)
			}
			mustEqual(t, r.last("out"), alone(t, versions[0], firstRecords+nextRecords))
		})
	}
}

// Records went to neither topic while the store was away: under its former name the GroupBy brings them up.
func TestStoreBackBehindAnotherName(t *testing.T) {
	t.Parallel()
	for name, without := range map[string]deployed{"away": passed, "feeding another store": regrouped("m")} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, lose := range disks() {
				r := newRig(t, lose)
				r.put(firstRecords)
				for _, version := range []deployed{countedBy("one"), without} {
					if err := r.deploy(version); err != nil {
						t.Fatal(err)
					}
					r.put(nextRecords)
				}
				for range 2 {
					mustRefuse(t, r.deploy(countedBy("two")), `store "n"`, "app-one-repartition", "app-two-repartition", `topic "in" partition 0`, "former name", "millrace reset")
				}
				r.end()
				if err := r.deploy(countedBy("one")); err != nil {
					t.Fatal(err)
				}
				got := r.last("out")
				maps.DeleteFunc(got, func(k, _ string) bool { return strings.HasPrefix(k, `"of `) }) // of the version without
				mustEqual(t, got, alone(t, countedBy("one"), firstRecords+2*nextRecords))
			}
		})
	}
}

// underWay sends a record to a repartition topic.
func (r *rig) underWay(topic string) {
	r.t.Helper()
	stamp := graph.Stamp{Tasks: 1, Passed: graph.Time{Watermark: 1}}.Append(nil)
	rec := &kgo.Record{Topic: topic, Key: []byte("k0"), Value: []byte("v"), Timestamp: r.at, Headers: []kgo.RecordHeader{{Key: graph.HeaderStamp, Value: stamp}}}
	if err := r.client.ProduceSync(r.t.Context(), rec).FirstErr(); err != nil {
		r.t.Fatal(err)
	}
}

// leftUnderWay is an application that has a record under way behind the GroupBy of name one.
func leftUnderWay(t *testing.T) *rig {
	r := newRig(t, false)
	r.put(firstRecords)
	if err := r.deploy(countedBy("one")); err != nil {
		t.Fatal(err)
	}
	r.underWay("app-one-repartition")
	return r
}

func TestStoreFedByOthersWithRecordsUnderWay(t *testing.T) {
	t.Parallel()
	t.Run("that can be read", func(t *testing.T) {
		mustRefuse(t, leftUnderWay(t).deploy(countedBy("two")), "app-one-repartition", "not processed", "millrace reset")
	})
	t.Run("that cannot be read for a while", func(t *testing.T) {
		r := leftUnderWay(t)
		fault := r.broker.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Fetch}, Topic: "app-one-repartition", Err: kerr.LeaderNotAvailable, Count: -1})
		r.warned = func(error) { fault.Remove() }
		mustRefuse(t, r.deploy(countedBy("two")), "app-one-repartition", "not processed", "millrace reset")
	})
}

// countedByTwo counts behind a chain of two, of which the first one has that name.
func countedByTwo(name string) deployed {
	return func(b *stream.Builder) {
		first := stream.Repartition(name, stream.From(b, deployIn), serde.String, serde.String)
		grouped := stream.GroupBy("outer", first, func(k, _ string) string { return k }, serde.String, serde.String)
		stream.To(stream.Count("n", grouped).Changes(), deployOut)
	}
}

// Behind a chain the store does not know the first topic: it is the second one whose tasks have read it.
func TestFirstOfAChainRenamed(t *testing.T) {
	t.Parallel()
	t.Run("nothing under way", func(t *testing.T) {
		r := newRig(t, false)
		for i, version := range []deployed{countedByTwo("one"), countedByTwo("two")} {
			if r.put(nextRecords); i > 0 {
				r.end()
			}
			if err := r.deploy(version); err != nil {
				t.Fatal(err)
			}
		}
		mustEqual(t, r.last("out"), alone(t, countedByTwo("two"), 2*nextRecords))
	})
	t.Run("a record under way", func(t *testing.T) {
		r := newRig(t, false)
		r.put(nextRecords)
		if err := r.deploy(countedByTwo("one")); err != nil {
			t.Fatal(err)
		}
		r.underWay("app-one-repartition")
		mustRefuse(t, r.deploy(countedByTwo("two")), "app-one-repartition", "app-outer-repartition", "not processed", "millrace reset")
	})
	t.Run("away before that", func(t *testing.T) {
		r := newRig(t, false)
		for _, version := range []deployed{countedByTwo("one"), passed} {
			r.put(nextRecords)
			if err := r.deploy(version); err != nil {
				t.Fatal(err)
			}
		}
		for range 2 {
			mustRefuse(t, r.deploy(countedByTwo("two")), "app-outer-repartition", "app-one-repartition", "app-two-repartition", `topic "in" partition 0`, "former name", "millrace reset")
		}
		r.end()
		if err := r.deploy(countedByTwo("one")); err != nil {
			t.Fatal(err)
		}
		mustEqual(t, r.last("out"), alone(t, countedByTwo("one"), 2*nextRecords))
	})
	t.Run("away before that, and left out", func(t *testing.T) {
		r := newRig(t, false)
		for _, version := range []deployed{countedByTwo("one"), passed} {
			r.put(nextRecords)
			if err := r.deploy(version); err != nil {
				t.Fatal(err)
			}
		}
		mustRefuse(t, r.deploy(func(b *stream.Builder) {
			grouped := stream.GroupBy("outer", stream.From(b, deployIn), func(k, _ string) string { return k }, serde.String, serde.String)
			stream.To(stream.Count("n", grouped).Changes(), deployOut)
		}), "app-outer-repartition", "app-one-repartition", `topic "in" partition 0`, "former version", "millrace reset")
	})
}
