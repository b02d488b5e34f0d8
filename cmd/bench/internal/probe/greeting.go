package probe

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/millrace/millrace/cmd/internal/workload"
)

// greetingAmount is one that no contender drops.
const greetingAmount = 1

// greet sends one record through each partition and waits until all have come: a
// contender that is still starting is not measured. Greetings have negative sequence
// numbers.
func (p Probe) greet(ctx context.Context, prod, cons *kgo.Client, partitions int) error {
	ctx, cancel := context.WithTimeout(ctx, p.Ready)
	defer cancel()
	for i := range partitions {
		if err := prod.ProduceSync(ctx, greeting(i)).FirstErr(); err != nil {
			return fmt.Errorf("probe: greeting by topic %s partition %d: %w", p.In, i, err)
		}
	}
	for missing := partitions; missing > 0; {
		fetches := cons.PollFetches(ctx)
		if ctx.Err() != nil {
			return fmt.Errorf("probe: of %d greetings %d have not come to topic %s within %v: is there a contender?", partitions, missing, p.Out, p.Ready)
		}
		if err := fetches.Err(); err != nil && !errors.Is(err, context.DeadlineExceeded) {
			return fmt.Errorf("probe: reading topic %s: %w", p.Out, err)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			if seq, ok := number(r); ok && seq < 0 {
				missing--
			}
		})
	}
	return nil
}

func greeting(partition int) *kgo.Record {
	var key [workload.KeySize]byte
	workload.PutKey(&key, ^uint64(partition))
	value := binary.BigEndian.AppendUint64(nil, greetingAmount)
	value = binary.BigEndian.AppendUint64(value, ^uint64(partition)) // negative
	return &kgo.Record{Key: key[:], Value: value, Partition: int32(partition), Timestamp: time.UnixMilli(workload.BaseTimestamp)}
}

// number reads the sequence number of a record.
func number(r *kgo.Record) (seq int64, ok bool) {
	if len(r.Value) < workload.MinValueSize {
		return 0, false
	}
	return int64(binary.BigEndian.Uint64(r.Value[8:])), true
}
