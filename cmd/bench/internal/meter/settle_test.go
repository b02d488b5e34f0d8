package meter

import (
	"context"
	"errors"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
)

// TestSettle: the client tells of a batch behind the answer for its records.
func TestSettle(t *testing.T) {
	var w Written
	all := func(string) bool { return true }
	go func() {
		for range 3 {
			w.OnProduceBatchWritten(kgo.BrokerMetadata{}, "out", 0, kgo.ProduceBatchMetrics{NumRecords: 100})
		}
	}()
	if err := w.Settle(t.Context(), 300, all); err != nil || w.To(all).Records != 300 {
		t.Errorf("%v, %d records", err, w.To(all).Records)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := w.Settle(ctx, 301, all); !errors.Is(err, context.Canceled) {
		t.Errorf("it waited for more than there is: %v", err)
	}
}
