package task_test

import (
	"math"
	"testing"
	"time"

	"github.com/millrace/millrace/processor/internal/graph"
	"github.com/millrace/millrace/processor/stream"
	"github.com/millrace/millrace/schemaregistry/serde"
	"github.com/millrace/millrace/windowing"
)

// TestARecordThatCannotBeWrittenIsCountedAtItsSource, and nowhere else: it had no
// effects, so nothing takes back what other nodes have counted.
func TestARecordThatCannotBeWrittenIsCountedAtItsSource(t *testing.T) {
	type rates = stream.Stream[string, float64]
	rate := serde.JSON[float64]() // has no NaN
	topic := stream.Topic[string, float64]{Name: "out", Key: serde.String, Value: rate}
	for name, end := range map[string]func(rates){
		"sink": func(s rates) { stream.To(s, topic) },
		"suppression": func(s rates) {
			w := windowing.UntilTimeLimit(time.Second, windowing.EmitEarly).MaxRecords(9)
			stream.To(stream.Suppress("held", s, w, rate), topic)
		},
	} {
		t.Run(name, func(t *testing.T) {
			x := newTask(t, config(t, func(b *stream.Builder) {
				b.SkipErrors()
				end(stream.MapValues(stream.From(b, left), func(v string) float64 {
					if v == "bad" {
						return math.NaN()
					}
					return 1
				}))
			}))
			feed(t, x, 0, messages(0, "a", "bad", "b"))
			if n := step(t, x); n != 3 {
				t.Errorf("%d of 3 records", n)
			}
			c := prepare(t, x)
			checkAccounts(t, c)
			if source := c.Counters[0]; source.In != 3 || source.Dropped[graph.Process] != 1 {
				t.Errorf("the source has %+v", source)
			}
		})
	}
}
