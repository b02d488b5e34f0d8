package windowing

import (
	"fmt"
	"testing"

	"github.com/millrace/millrace/state"
)

// BenchmarkAdd counts records of 10,000 keys; time goes on by 1 ms every 16 records. Each window closes, and its
// store is committed.
func BenchmarkAdd(b *testing.B) {
	for _, w := range []struct {
		name string
		Windows
	}{
		{"tumbling", Tumbling(60_000 * ms).Emit(OnClose)},
		{"tumbling on-commit", Tumbling(60_000 * ms)},
		{"tumbling on-update", Tumbling(60_000 * ms).Emit(OnUpdate)},
		{"hopping 5", Hopping(60_000*ms, 12_000*ms).Emit(OnClose)},
	} {
		b.Run(w.name, func(b *testing.B) {
			stores := countStores(b)
			store, err := counts.Open(opener{stores})
			if err != nil {
				b.Fatal(err)
			}
			agg := NewAggregation(w.Windows, store, count, discard)
			var keys [10_000][]byte
			for i := range keys {
				keys[i] = fmt.Appendf(nil, "key-%07d", i)
			}
			channel := Ascending().Channel(NoTime)
			b.ReportAllocs()
			n := uint64(0)
			for b.Loop() {
				ts := EventTime(1767225600000 + n/16)
				channel.Observe(ts, ts)
				if late, err := agg.Add(keys[n*2654435761%10_000], ts, channel.Watermark()); late || err != nil {
					b.Fatal(late, err)
				}
				if err := agg.Advance(channel.Watermark()); err != nil {
					b.Fatal(err)
				}
				if n++; n%100_000 == 0 {
					benchCommit(b, agg, stores)
				}
			}
		})
	}
}

func benchCommit(b *testing.B, agg *Aggregation[int64], stores *state.Stores) {
	if err := agg.BeforeCommit(); err != nil {
		b.Fatal(err)
	}
	commitStores(b, stores, counts.Name)
}
