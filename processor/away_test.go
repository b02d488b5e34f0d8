package processor_test

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/millrace/millrace/processor/stream"
	"github.com/millrace/millrace/schemaregistry/serde"
	"github.com/millrace/millrace/windowing"
)

// sendAt sends records of one key to a partition, with these times in ms.
func (r *rig) sendAt(partition int32, key, value string, times ...int64) {
	r.t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(r.broker.ListenAddrs()...), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		r.t.Fatal(err)
	}
	defer client.Close()
	for _, at := range times {
		rec := &kgo.Record{Topic: "in", Partition: partition, Key: []byte(key), Value: []byte(value), Timestamp: time.UnixMilli(at)}
		if err := client.ProduceSync(r.t.Context(), rec).FirstErr(); err != nil {
			r.t.Fatal(err)
		}
	}
}

// A record that failed while a store was away is not counted when that is brought
// up: it leaves no trace, whatever operator it failed in.
func TestWhatFailedWhileAway(t *testing.T) {
	t.Parallel()
	version := func(with bool) deployed {
		return func(b *stream.Builder) {
			b.DeadLetter("dead")
			in := stream.From(b, deployIn)
			if with {
				stream.To(stream.Count("n", stream.GroupByKey(in), stream.Emit(windowing.OnUpdate)).Changes(), deployOut)
			}
			other := stream.TryMapValues(in, func(_ *stream.Context, r *stream.Record[string, string]) (string, error) {
				switch r.Value {
				case "error":
					return "", errors.New("it is bad")
				case "panic":
					panic("it is bad")
				}
				return r.Value, nil
			})
			stream.To(other, stream.Topic[string, string]{Name: "side", Key: serde.String, Value: serde.String})
		}
	}
	for _, lose := range disks() {
		t.Run(fmt.Sprintf("disk lost %v", lose), func(t *testing.T) {
			r := newRig(t, lose)
			for i, with := range []bool{true, false, true} {
				for _, value := range []string{"x", "error", "x", "panic"} {
					r.sendAt(0, "k", value, int64(1000*i))
				}
				if err := r.deploy(version(with)); err != nil {
					t.Fatal(err)
				}
			}
			if got := r.last("out"); got[`"k"`] != "6" {
				t.Errorf("counted %v, want 6", got)
			}
			if letters := r.rows("dead"); letters[`"k"`] != 6 {
				t.Errorf("%v dead letters, want 6", letters)
			}
		})
	}
}

// More failed than can be remembered: what was away is not brought up.
func TestTooManyFailedWhileAway(t *testing.T) {
	t.Parallel()
	version := func(with bool) deployed {
		return func(b *stream.Builder) {
			b.DeadLetter("dead")
			in := stream.From(b, deployIn)
			if with {
				stream.To(stream.Count("n", stream.GroupByKey(in)).Changes(), deployOut)
			}
			in.TryFilter(func(*stream.Context, *stream.Record[string, string]) (bool, error) {
				return false, errors.New("it is bad")
			})
		}
	}
	r := newRig(t, false)
	r.sendAt(0, "k", "x", 1000)
	if err := r.deploy(version(true)); err != nil {
		t.Fatal(err)
	}
	r.sendAt(0, "k", "x", make([]int64, 1000)...)
	if err := r.deploy(version(false)); err != nil {
		t.Fatal(err)
	}
	mustRefuse(t, r.deploy(version(true)), "app-n-changelog", "more records", "millrace reset")
}

// What is late for a GroupBy is late also where the GroupBy was away as it came.
func TestLateWhileAway(t *testing.T) {
	t.Parallel()
	version := func(with bool) deployed {
		return func(b *stream.Builder) {
			in := stream.From(b, deployIn)
			if with {
				by := stream.GroupBy("by", in, func(_, v string) string { return v }, serde.String, serde.String)
				w := windowing.Tumbling(100 * time.Millisecond).Emit(windowing.OnClose)
				stream.To(stream.CountWindows("n", stream.Window(by, w)).Results, stream.Topic[windowing.Key[string], int64]{
					Name: "out", Key: windowing.ResultKeySerde(serde.String, w), Value: serde.Int64,
				})
			}
			stream.To(in, stream.Topic[string, string]{Name: "side", Key: serde.String, Value: serde.String})
		}
	}
	counted := func(t *testing.T, middle bool) map[string]string {
		r := newRigOf(t, false, 2)
		r.sendAt(0, "a", "v", 110, 1000)
		r.sendAt(1, "b", "v", 110)
		for i, with := range []bool{true, middle, true} {
			if i == 1 {
				r.sendAt(0, "a", "v", 150, 160, 170)
			}
			if i == 2 {
				r.sendAt(0, "a", "v", 2000)
				r.sendAt(1, "b", "v", 2000)
			}
			if err := r.deploy(version(with)); err != nil {
				t.Fatal(err)
			}
		}
		if err := r.deploy(version(true)); err != nil { // what the first stage sent last
			t.Fatal(err)
		}
		all := r.lastIn("out", 0)
		maps.Copy(all, r.lastIn("out", 1))
		return all
	}
	want, got := counted(t, true), counted(t, false)
	if len(want) == 0 || !maps.Equal(want, got) {
		t.Errorf("with the GroupBy away: %v, else: %v", got, want)
	}
	for key, n := range want {
		if strings.Contains(key, "v") && n == "4" {
			t.Errorf("late records are counted: %s=%s", key, n)
		}
	}
}

// The first version that lacks a store says so, for its operator may only have got another name.
func TestWhatIsLeftBehindIsTold(t *testing.T) {
	t.Parallel()
	r := newRig(t, false)
	var told []string
	r.warned = func(err error) { told = append(told, err.Error()) }
	for i, store := range []string{"n", "m", "m"} {
		told = nil
		r.put(5)
		if err := r.deploy(counted(store)); err != nil {
			t.Fatal(err)
		}
		said := strings.Contains(strings.Join(told, "\n"), `["app-n-changelog"]`)
		if want := i == 1; said != want {
			t.Errorf("start %d with store %q: told %q", i, store, told)
		}
	}
}

// A compacted source is brought up from as long as nothing of what was missed has been removed.
func TestAwayOverACompactedSource(t *testing.T) {
	for _, compact := range []bool{false, true} {
		for _, lose := range disks() {
			t.Run(fmt.Sprintf("compacted %v/disk lost %v", compact, lose), func(t *testing.T) {
				t.Parallel()
				r := newRig(t, lose)
				policy := "compact"
				if _, err := kadm.NewClient(r.client).AlterTopicConfigs(t.Context(), []kadm.AlterConfig{{Name: "cleanup.policy", Value: &policy}}, "in"); err != nil {
					t.Fatal(err)
				}
				r.at = time.Now().Add(-2 * time.Hour) // younger than the broker's retention
				r.send("first")                       // stays, so that the log begins where it did
				r.sent = 0
				r.put(firstRecords)
				for _, version := range []deployed{counted("n"), passed} {
					if err := r.deploy(version); err != nil {
						t.Fatal(err)
					}
					r.put(nextRecords)
				}
				if compact {
					r.broker.Compact()
					for range 2 {
						mustRefuse(t, r.deploy(counted("n")), `app-n-changelog`, `topic "in" partition 0`, "compacted", "lost records", "millrace reset")
					}
					return
				}
				r.end()
				if err := r.deploy(counted("n")); err != nil {
					t.Fatal(err)
				}
				want := alone(t, counted("n"), firstRecords+2*nextRecords)
				want[`"first"`] = r.last("out")[`"first"`]
				mustEqual(t, r.last("out"), want)
			})
		}
	}
}

// Who leaves out a whole sub-topology is told of the stores behind its repartition topic too.
func TestALeftBehindSubtopologyIsTold(t *testing.T) {
	t.Parallel()
	r := newRig(t, false)
	r.put(firstRecords)
	if err := r.deploy(regrouped("n")); err != nil {
		t.Fatal(err)
	}
	r.put(nextRecords)
	var told []string
	r.warned = func(err error) { told = append(told, err.Error()) }
	if err := r.deploy(passed); err != nil {
		t.Fatal(err)
	}
	told = slices.DeleteFunc(told, func(w string) bool { return !strings.Contains(w, "no operators") })
	if len(told) != 1 || !strings.Contains(told[0], `["app-by-repartition" "app-n-changelog"]`) {
		t.Errorf("told %q", told)
	}
}
