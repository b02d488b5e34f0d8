package processor_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/millrace/millrace/processor"
	"github.com/millrace/millrace/processor/stream"
	"github.com/millrace/millrace/windowing"
)

// TestABoundedRunTellsWhatItLeftOut: nobody may have read the metrics of a run that is
// over. What a dead letter has is not told again.
func TestABoundedRunTellsWhatItLeftOut(t *testing.T) {
	for name, c := range map[string]struct {
		policy func(*stream.Builder)
		want   []string
	}{
		"skipped":            {func(b *stream.Builder) { b.SkipErrors() }, []string{`"source:words" in this process of the bounded run is in no dead letter: 2 process;`, `"n" in this process of the bounded run is in no dead letter: 1 late;`}},
		"dead letters":       {func(b *stream.Builder) { b.DeadLetter("dead") }, []string{`"n" in this process of the bounded run is in no dead letter: 1 late;`}},
		"late ones too":      {func(b *stream.Builder) { b.DeadLetter("dead", stream.Late) }, nil},
		"dropped on purpose": {func(b *stream.Builder) { b.SkipErrors() }, nil},
	} {
		t.Run(name, func(t *testing.T) {
			cluster := newCluster(t, "words", "dead")
			var told []string
			cluster.cfg.Events = processor.EventListener{Warning: func(err error) { told = append(told, err.Error()) }}
			for _, word := range []string{"bad", "a", "bad", "late"} {
				at := time.Now().Add(-time.Minute)
				if word == "late" {
					at = at.Add(-time.Hour)
				}
				cluster.produceTo(0, &kgo.Record{Topic: "words", Key: []byte("k"), Value: []byte(word), Timestamp: at})
			}
			purpose := name == "dropped on purpose"
			err := cluster.run(func(b *stream.Builder) {
				c.policy(b)
				kept := stream.From(b, words).Filter(func(_, v string) bool { return !purpose || v == "a" })
				tried := stream.TryMapValues(kept, func(_ *stream.Context, r *stream.Record[string, string]) (string, error) {
					if r.Value == "bad" {
						return "", errors.New("a bad word")
					}
					return r.Value, nil
				})
				stream.CountWindows("n", stream.Window(stream.GroupByKey(tried), windowing.Tumbling(time.Second)))
			})
			if err != nil {
				t.Fatal(err)
			}
			told = slices.DeleteFunc(told, func(w string) bool { return !strings.Contains(w, "no dead letter") })
			if len(told) != len(c.want) {
				t.Fatalf("told %q, want %q", told, c.want)
			}
			for i, w := range c.want {
				if !strings.Contains(told[i], w) {
					t.Errorf("told %q, want %q", told[i], w)
				}
			}
		})
	}
}
