package probe

import (
	"bytes"
	"context"
	"encoding/binary"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/millrace/millrace/cmd/bench/internal/meter"
	"github.com/millrace/millrace/cmd/internal/workload"
)

// A sender sends each record when it is due, or as soon after as it can. Its results may
// be read once ended is closed.
type sender struct {
	schedule
	gen        *workload.Gen
	partitions int
	filtered   bool
	failed     atomic.Pointer[error] // the first

	ended    chan struct{}
	err      error
	expected int64 // records that the contender passes on
	behind   meter.Delays
}

func newSender(gen *workload.Gen, s schedule, partitions int, filtered bool) *sender {
	return &sender{
		schedule: s, gen: gen, partitions: partitions, filtered: filtered,
		ended: make(chan struct{}), behind: make(meter.Delays, 0, s.total-s.from),
	}
}

func (s *sender) run(ctx context.Context, cl *kgo.Client) {
	defer close(s.ended)
	promise := func(_ *kgo.Record, err error) {
		if err != nil {
			s.failed.CompareAndSwap(nil, &err)
		}
	}
	var key [workload.KeySize]byte
	for seq := int64(0); seq < s.total && ctx.Err() == nil; seq++ {
		due := s.due(seq)
		if wait := time.Until(due); wait > 0 {
			time.Sleep(wait)
		}
		value := make([]byte, s.gen.ValueSize)
		ts := s.gen.Record(seq, &key, value)
		if seq >= s.from {
			s.behind = append(s.behind, max(0, time.Since(due)))
		}
		cl.Produce(ctx, &kgo.Record{
			Key: bytes.Clone(key[:]), Value: value, Timestamp: time.UnixMilli(ts), Partition: int32(workload.PartitionOf(key[:], s.partitions)),
		}, promise)
		if !s.filtered || binary.BigEndian.Uint64(value)%10 != 0 {
			s.expected++
		}
		if err := s.failed.Load(); err != nil {
			s.err = *err
			return
		}
	}
	if s.err = cl.Flush(ctx); s.err == nil {
		if err := s.failed.Load(); err != nil {
			s.err = *err
		}
	}
}
