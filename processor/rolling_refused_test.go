package processor_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace/processor/stream"
	"github.com/millrace/millrace/schemaregistry/serde"
	"github.com/millrace/millrace/windowing"
)

// A version of which one store fits in another meaning, and one does not, is refused before it has a task: else those
// that it was given would be of the new version, the rest of the old one, and neither could go on. The store that does
// not fit is of a task that it would not even have got.
func TestARefusedVersionGetsNoTask(t *testing.T) {
	t.Parallel()
	version := func(opts ...stream.Option) deployed {
		return func(b *stream.Builder) {
			in := stream.From(b, deployIn)
			w := windowing.Tumbling(time.Minute)
			if len(opts) > 0 {
				w = w.Emit(windowing.OnClose)
			}
			fits := stream.CountWindows("fits", stream.Window(stream.GroupByKey(in), w))
			stream.To(fits.Results, stream.Topic[windowing.Key[string], int64]{Name: "out", Key: windowing.ResultKeySerde(serde.String, w), Value: serde.Int64})
			by := stream.GroupBy("by", in, func(k, _ string) string { return "of " + k }, serde.String, serde.String, stream.Partitions(1))
			stream.To(stream.Count("fits-not", by, opts...).Changes(), stream.Topic[string, int64]{Name: "side", Key: serde.String, Value: serde.Int64})
		}
	}
	r := newRigOf(t, false, 4)
	put := func() {
		for i := range 40 {
			r.at = r.at.Add(time.Second)
			r.send(fmt.Sprint("k", i))
		}
	}
	topology := topologyOf(t, version())
	old := r.instance(t.TempDir(), version())
	put()
	old.until(t, "all tasks", func() bool { return len(old.tasks) == 5 && r.through(topology) })
	for range 2 {
		fresh := r.instance(t.TempDir(), version(stream.StateVersion("2")))
		err := <-fresh.done
		mustRefuse(t, err, `store "fits-not"`, `is "2"`, "app-fits-not-changelog", "millrace reset")
		if strings.Contains(fmt.Sprint(err), "task ") || fresh.count() > 0 {
			t.Errorf("it had %d tasks before it was refused: %v", fresh.count(), err)
		}
	}
	put()
	old.until(t, "everything", func() bool { return r.through(topology) })
	old.end(t)
	again := r.instance(t.TempDir(), version())
	put()
	again.until(t, "everything", func() bool { return r.through(topology) })
	again.end(t)
}
