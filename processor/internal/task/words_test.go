package task_test

import (
	"errors"
	"testing"

	"github.com/millrace/millrace/processor/internal/graph"
	"github.com/millrace/millrace/processor/stream"
	"github.com/millrace/millrace/schemaregistry/serde"
)

// The words of a format come before the first record of a repartition topic that stays: one that is taken back takes
// them along.
func TestWordsComeBeforeTheFirstRecord(t *testing.T) {
	cfg := config(t, func(b *stream.Builder) {
		b.SkipErrors()
		in := stream.From(b, left)
		stream.Repartition("by", in, serde.String, serde.String) // comes first: a record that fails below is in it by then
		checked := stream.TryMapValues(in, func(_ *stream.Context, r *stream.Record[string, string]) (string, error) {
			if r.Value == "bad" {
				return "", errors.New("bad value")
			}
			return r.Value, nil
		})
		stream.To(checked, out)
	})
	cfg.Partitions["by"], cfg.Careful = 1, 10
	x := newTask(t, cfg)
	feed(t, x, 0, messages(0, "bad", "good", "good"))
	for range 3 {
		step(t, x)
	}
	var stamps []graph.Stamp
	for _, o := range prepare(t, x).Outputs {
		if o.Topic == "by" {
			s, err := graph.DecodeStamp(o.Headers[0].Value)
			if err != nil {
				t.Fatal(err)
			}
			stamps = append(stamps, s)
		}
	}
	if len(stamps) < 3 || !stamps[0].Control || len(stamps[0].Words) == 0 || stamps[1].Control || stamps[2].Control || len(stamps[1].Words)+len(stamps[2].Words) > 0 {
		t.Errorf("sent %+v", stamps)
	}
}
