package limit

import (
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// bufferedBytes bounds what a producer holds, beside the bound in records.
const bufferedBytes = 256 << 20

// Producer is how a loop's producers are tuned.
type Producer struct {
	// Linger is how long a batch waits for more records.
	Linger time.Duration
	// BatchBytes bounds a batch.
	BatchBytes int
	// Buffered bounds the records a producer holds, and for the pipelined modes also those
	// held back for the next transaction: the backlog that a flush waits for.
	Buffered int
	// MetadataMinAge is the option of that name; a produce answered
	// CONCURRENT_TRANSACTIONS waits this long.
	MetadataMinAge time.Duration
	// Backoff is the pause before a transaction request is repeated.
	Backoff time.Duration
	// Compression is none, lz4 or snappy.
	Compression string
	// CountConflicts counts the answers CONCURRENT_TRANSACTIONS, by the client's debug
	// log, which costs some CPU time.
	CountConflicts bool
}

func codecs() map[string]kgo.CompressionCodec {
	return map[string]kgo.CompressionCodec{"none": kgo.NoCompression(), "lz4": kgo.Lz4Compression(), "snappy": kgo.SnappyCompression()}
}

func (p Producer) validate() error {
	if _, ok := codecs()[p.Compression]; !ok {
		return fmt.Errorf("limit: unknown compression %q, want none, lz4 or snappy", p.Compression)
	}
	if p.BatchBytes < 1 || p.Buffered < 1 {
		return errors.New("limit: batches and buffered records have to be at least 1")
	}
	return nil
}

func (p Producer) options() []kgo.Opt {
	return []kgo.Opt{
		kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.ProducerBatchCompression(codecs()[p.Compression]),
		kgo.ProducerLinger(p.Linger),
		kgo.ProducerBatchMaxBytes(int32(p.BatchBytes)),
		kgo.MaxBufferedRecords(p.Buffered),
		kgo.MaxBufferedBytes(bufferedBytes),
		kgo.MetadataMinAge(p.MetadataMinAge),
		kgo.ConcurrentTransactionsBackoff(p.Backoff),
	}
}

// failure keeps the first error of a producer.
type failure chan error

func newFailure() failure { return make(failure, 1) }

func (f failure) set(err error) {
	select {
	case f <- err:
	default:
	}
}

// get returns the error, once.
func (f failure) get() error {
	select {
	case err := <-f:
		return err
	default:
		return nil
	}
}

// promise is called for each record when it is acknowledged or lost.
func (f failure) promise(_ *kgo.Record, err error) {
	if err != nil {
		f.set(err)
	}
}
