package processor_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/millrace/millrace/processor/stream"
	"github.com/millrace/millrace/schemaregistry/serde"
	"github.com/millrace/millrace/windowing"
)

// Topics that are deleted and made anew between two starts.
func TestTopicsRemade(t *testing.T) {
	for topic, version := range map[string]deployed{
		"app-n-changelog": regrouped("n"), "app-by-repartition": regrouped("n"), "in": counted("n"),
	} {
		for _, lose := range disks() {
			t.Run(fmt.Sprintf("%s/disk lost %v", topic, lose), func(t *testing.T) {
				t.Parallel()
				r := newRig(t, lose)
				r.put(firstRecords)
				if err := r.deploy(version); err != nil {
					t.Fatal(err)
				}
				r.remake(topic)
				r.put(nextRecords)
				for range 2 {
					mustRefuse(t, r.deploy(version), topic, "made anew", "millrace reset")
				}
			})
		}
	}
}

func regroupedWindows(b *stream.Builder) {
	w := windowing.Tumbling(time.Minute)
	by := stream.GroupBy("by", stream.From(b, deployIn), func(k, _ string) string { return "of " + k }, serde.String, serde.String)
	stream.To(stream.CountWindows("n", stream.Window(by, w)).Results, stream.Topic[windowing.Key[string], int64]{Name: "out", Key: windowing.ResultKeySerde(serde.String, w), Value: serde.Int64})
}

// The loss of what was in a repartition topic is accepted by its name: the store behind it is kept and goes on at the
// beginning of the new topic, and the next start need not be told again.
func TestRepartitionTopicRemadeAndAccepted(t *testing.T) {
	for name, version := range map[string]deployed{"counted": regrouped("n"), "in windows": regroupedWindows} {
		for _, kept := range []bool{false, true} { // the offset in it, as by a commit that came after the deletion
			for _, lose := range disks() {
				t.Run(fmt.Sprintf("%s/disk lost %v, offset kept %v", name, lose, kept), func(t *testing.T) {
					t.Parallel()
					acceptRemade(t, version, lose, kept)
				})
			}
		}
	}
}

func acceptRemade(t *testing.T, version deployed, lose, kept bool) {
	const topic = "app-by-repartition"
	r := newRig(t, lose)
	deploy := func() {
		t.Helper()
		r.put(nextRecords)
		if err := r.deploy(version); err != nil {
			t.Fatal(err)
		}
	}
	deploy()
	before, err := kadm.NewClient(r.client).FetchOffsets(t.Context(), "app")
	if err != nil {
		t.Fatal(err)
	}
	r.remake(topic)
	mustRefuse(t, r.deploy(version), topic, "made anew", "AcceptRemade")
	if was, _ := before.Lookup(topic, 0); kept {
		r.commit(kadm.Offset{Topic: topic, At: was.At, LeaderEpoch: -1, Metadata: was.Metadata})
		mustRefuse(t, r.deploy(version), topic, "made anew", "AcceptRemade")
	}
	r.accept = []string{topic}
	deploy()
	r.accept = nil
	r.end()
	deploy()
	want := newRig(t, false)
	want.put(2 * nextRecords)
	want.end()
	want.put(nextRecords)
	if err := want.deploy(version); err != nil {
		t.Fatal(err)
	}
	mustEqual(t, r.last("out"), want.last("out"))
}

// commit commits an offset of the group, by a client that knows no former topics.
func (r *rig) commit(o kadm.Offset) {
	r.t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(r.broker.ListenAddrs()...))
	if err != nil {
		r.t.Fatal(err)
	}
	defer client.Close()
	offsets := kadm.Offsets{}
	offsets.Add(o)
	if err := kadm.NewClient(client).CommitAllOffsets(r.t.Context(), "app", offsets); err != nil {
		r.t.Fatal(err)
	}
}

// An input that is made anew is read from its beginning where nothing was kept of the old one.
func TestInputRemadeWithoutState(t *testing.T) {
	r := newRig(t, true)
	r.put(firstRecords)
	if err := r.deploy(passed); err != nil {
		t.Fatal(err)
	}
	r.remake("in")
	r.put(nextRecords)
	if err := r.deploy(passed); err != nil {
		t.Fatal(err)
	}
	if got := r.last("side"); got["\"k0\""] == "" {
		t.Errorf("nothing of the new topic came out: %v", got)
	}
}

// A changelog that is deleted under a running application ends it: to try again for ever helps nobody, and the next start
// says what can be done.
func TestChangelogDeletedWhileRunning(t *testing.T) {
	t.Parallel()
	const topic = "app-n-changelog"
	r := newRig(t, false)
	r.put(firstRecords)
	if err := r.deploy(counted("n")); err != nil {
		t.Fatal(err)
	}
	deleted := false
	r.warned = func(err error) { t.Log(err) }
	r.put(1)
	r.restored = func() {
		if !deleted {
			deleted = true
			r.remake(topic)
			r.put(nextRecords)
		}
	}
	mustRefuse(t, r.deploy(counted("n")), topic, "deleted while the application ran", "start again")
	r.restored = nil
	mustRefuse(t, r.deploy(counted("n")), topic, "made anew", "AcceptRemade")
}
