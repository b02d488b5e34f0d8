package stream_test

import (
	"fmt"
	"time"

	"github.com/millrace/millrace/processor/processortest"
	"github.com/millrace/millrace/processor/stream"
	"github.com/millrace/millrace/schemaregistry/serde"
	"github.com/millrace/millrace/state"
)

// balances has what each customer has spent; two processors share it.
var balances = state.KV[string, int64]{Name: "balances", Key: serde.String, Value: serde.Int64}

// adding makes a processor that adds the amounts of a stream, times sign, to the
// balances and sends each new balance.
func adding(sign int64) func(state.Opener) (stream.Processor[string, int64, string, int64], error) {
	return func(o state.Opener) (stream.Processor[string, int64, string, int64], error) {
		store, err := balances.Open(o)
		return func(c *stream.ProcessContext[string, int64], r *stream.Record[string, int64]) error {
			balance, _, err := store.Update(r.Key)
			if err != nil {
				return err
			}
			*balance += sign * r.Value
			return c.Forward(r.Key, *balance)
		}, err
	}
}

// Orders and returns are different streams, and one balance.
func ExampleProcess() {
	d := processortest.New(exampleT{}, func(b *stream.Builder) {
		spent := stream.Process("spend", stream.From(b, orders), adding(1), stream.Uses(balances))
		returned := stream.Process("return", stream.From(b, returns), adding(-1), stream.Uses(balances))
		stream.To(spent.Merge(returned), totals)
	})
	noon := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	processortest.Input(d, orders).Put(noon, "ann", 5)
	processortest.Input(d, orders).Put(noon.Add(time.Minute), "ann", 3)
	processortest.Input(d, returns).Put(noon.Add(2*time.Minute), "ann", 3)
	d.Commit()
	for _, r := range processortest.Output(d, totals).Drain() {
		fmt.Println(r.Key, r.Value)
	}
	// Output:
	// ann 5
	// ann 8
	// ann 5
}
