package stream_test

import (
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace/processor/stream"
	"github.com/millrace/millrace/schemaregistry/serde"
	"github.com/millrace/millrace/windowing"
)

// tagged is a serde that cannot be compared with ==.
type tagged struct {
	serde.Serde[string]
	tags []string
}

// TestMergedKeysThatAreGroupedHaveOneSerde: the same key in two encodings would
// be two keys.
func TestMergedKeysThatAreGroupedHaveOneSerde(t *testing.T) {
	group := func(both stream.Stream[string, int64]) { stream.Count("counts", stream.GroupByKey(both)) }
	suppress := func(both stream.Stream[string, int64]) {
		stream.Suppress("held", both, windowing.UntilTimeLimit(time.Second, windowing.EmitEarly).MaxRecords(1), serde.Int64)
	}
	write := func(both stream.Stream[string, int64]) { stream.To(both, results) }
	refused := `operator "both" merges keys of different serdes`
	for name, c := range map[string]struct {
		left, right serde.Serde[string]
		use         func(stream.Stream[string, int64])
		want        string // in the error
	}{
		"two, grouped":       {serde.String, serde.JSON[string](), group, "GroupByKey: " + refused},
		"two, suppressed":    {serde.JSON[string](), serde.String, suppress, `operator "held": ` + refused},
		"two, written":       {serde.String, serde.JSON[string](), write, ""},
		"one":                {serde.JSON[string](), serde.JSON[string](), group, ""},
		"equal, no operator": {tagged{serde.String, []string{"a"}}, tagged{serde.String, []string{"a"}}, group, ""},
		"differ inside":      {tagged{serde.String, []string{"a"}}, tagged{serde.String, []string{"b"}}, group, refused},
	} {
		t.Run(name, func(t *testing.T) {
			b, one, other := stream.New("merged"), numbers, others
			one.Key, other.Key = c.left, c.right
			c.use(stream.From(b, one).Merge(stream.From(b, other), stream.Name("both")))
			_, err := b.Build()
			if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

// TestMergedResultsOfLikeWindowsAreGrouped: their serdes were made apart, and
// are the same.
func TestMergedResultsOfLikeWindowsAreGrouped(t *testing.T) {
	for size, fine := range map[time.Duration]bool{time.Minute: true, time.Hour: false} {
		b := stream.New("windows")
		count := func(name string, size time.Duration, topic stream.Topic[string, int64]) stream.Stream[windowing.Key[string], int64] {
			return stream.CountWindows(name, stream.Window(stream.GroupByKey(stream.From(b, topic)), windowing.Tumbling(size).Emit(windowing.OnClose))).Results
		}
		both := count("first", time.Minute, numbers).Merge(count("second", size, others))
		stream.Count("counts", stream.GroupByKey(both))
		if _, err := b.Build(); (err == nil) != fine {
			t.Errorf("%v and a minute: %v", size, err)
		}
	}
}
