package meter

import (
	"context"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Written counts what clients have written, by topic: as a hook among their options
// (kgo.WithHooks) it is told of each batch that the broker took, also of batches whose
// transaction was aborted later. The zero value is ready; any number of clients may
// share it.
type Written struct {
	mu     sync.Mutex
	topics map[string]Volume
}

// A Volume is an amount of records.
type Volume struct {
	Batches int64
	Records int64
	Bytes   int64 // of the records as encoded, before compression, without the batches' headers
}

// OnProduceBatchWritten is called by the client.
func (w *Written) OnProduceBatchWritten(_ kgo.BrokerMetadata, topic string, _ int32, b kgo.ProduceBatchMetrics) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.topics == nil {
		w.topics = make(map[string]Volume)
	}
	v := w.topics[topic]
	v.Batches++
	v.Records += int64(b.NumRecords)
	v.Bytes += int64(b.UncompressedBytes)
	w.topics[topic] = v
}

// To sums up what was written to the topics that match.
func (w *Written) To(match func(topic string) bool) (sum Volume) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for topic, v := range w.topics {
		if match(topic) {
			sum.Batches += v.Batches
			sum.Records += v.Records
			sum.Bytes += v.Bytes
		}
	}
	return sum
}

// writtenGlance is how soon Settle looks again.
const writtenGlance = time.Millisecond

// Settle waits until the client has told of that many records to the topics that match:
// of a batch it tells only after it has answered for the records, so who has flushed, or
// committed, may be ahead of it.
func (w *Written) Settle(ctx context.Context, records int64, match func(topic string) bool) error {
	for w.To(match).Records < records {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(writtenGlance):
		}
	}
	return nil
}
