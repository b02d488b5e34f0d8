package stream_test

import (
	"errors"
	"fmt"
	"iter"

	"github.com/millrace/millrace/processor/stream"
)

func ExampleSelectKey() {
	show(totals, func(b *stream.Builder) {
		bySize := stream.SelectKey(stream.From(b, orders), func(_ string, amount int64) string {
			if amount < 5 {
				return "small"
			}
			return "large"
		})
		stream.To(bySize, totals)
	})
	// Output:
	// large 5
	// large 7
	// small 3
}

func ExampleFlatMap() {
	show(totals, func(b *stream.Builder) {
		shares := stream.FlatMap(stream.From(b, orders), func(who string, amount int64) iter.Seq2[string, int64] {
			return func(yield func(string, int64) bool) { _ = yield(who, amount-1) && yield("the house", 1) }
		})
		stream.To(shares, totals)
	})
	// Output:
	// ann 4
	// the house 1
	// bob 6
	// the house 1
	// ann 2
	// the house 1
}

func ExampleTryFlatMap() {
	show(totals, func(b *stream.Builder) {
		b.SkipErrors()
		split := stream.TryFlatMap(stream.From(b, orders), func(_ *stream.Context, r *stream.Record[string, int64]) (iter.Seq2[string, int64], error) {
			if r.Value == 7 {
				return nil, errors.New("cannot be split")
			}
			parts := []int64{r.Value / 2, r.Value - r.Value/2}
			return func(yield func(string, int64) bool) {
				for i, part := range parts {
					if !yield(fmt.Sprint(r.Key, i), part) {
						return
					}
				}
			}, nil
		})
		stream.To(split, totals)
	})
	// Output:
	// ann0 2
	// ann1 3
	// ann0 1
	// ann1 2
}
