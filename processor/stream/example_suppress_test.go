package stream_test

import (
	"time"

	"github.com/millrace/millrace/processor/stream"
	"github.com/millrace/millrace/schemaregistry/serde"
	"github.com/millrace/millrace/windowing"
)

// Ann's second order comes before her first has waited for two minutes, so only
// the sum is sent; Bob's order still waits.
func ExampleSuppress() {
	show(totals, func(b *stream.Builder) {
		sum := func(acc, amount int64) int64 { return acc + amount }
		spent := stream.Reduce("spent", stream.GroupByKey(stream.From(b, orders)), sum, serde.Int64, stream.Emit(windowing.OnUpdate))
		calm := windowing.UntilTimeLimit(2*time.Minute, windowing.EmitEarly).MaxRecords(10_000)
		stream.To(stream.Suppress("spent-calmly", spent.Changes(), calm, serde.Int64), totals)
	})
	// Output: ann 8
}
