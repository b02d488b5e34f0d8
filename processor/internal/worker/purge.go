package worker

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/millrace/millrace/processor/internal/broker"
	"github.com/millrace/millrace/processor/internal/restore"
	"github.com/millrace/millrace/processor/internal/task"
)

// How often processed records are deleted from repartition topics, and how long
// that may take.
const (
	purgeInterval = 30 * time.Second
	purgeTimeout  = 5 * time.Second
)

// awayRecordsKept is how many processed records of a partition are kept for stores
// that this version lacks, so that they can be brought up when they come back.
const awayRecordsKept = 1_000_000

// A purger deletes from repartition topics what was processed, beside the loop.
type purger struct {
	broker.AsyncRequest[error]
	last time.Time
}

// run deletes from the repartition topics what was processed and committed.
// It can wait, so a failure is only told.
func (p *purger) run(ctx context.Context, leases *leases, fetcher *broker.Fetcher, waker *broker.Waker, warn func(error)) {
	if err, ok := p.Answer(); ok && err != nil && ctx.Err() == nil {
		warn(fmt.Errorf("delete processed records from repartition topics: %w", err))
	}
	if p.UnderWay() || time.Since(p.last) < purgeInterval {
		return
	}
	p.last = time.Now()
	offsets := leases.processedOffsets()
	if len(offsets) == 0 {
		return
	}
	client := kadm.NewClient(fetcher.Client)
	p.Start(waker, func() error {
		ctx, cancel := context.WithTimeout(ctx, purgeTimeout)
		defer cancel()
		deleted, err := client.DeleteRecords(ctx, offsets)
		return errors.Join(err, deleted.Error())
	})
}

// deletable is the offset below which nobody needs an input's records any more.
func deletable(in *restore.Input) int64 {
	upTo := in.Offset
	for _, n := range in.Notes {
		if n.Stopped != task.Following {
			upTo = min(upTo, max(n.Stopped, in.Offset-awayRecordsKept))
		}
	}
	return upTo
}

// processedOffsets returns, for the repartition topics that are read here, up to
// where everything was processed and committed.
func (s *leases) processedOffsets() kadm.Offsets {
	offsets := kadm.Offsets{}
	for l := range s.running() {
		for _, in := range l.Inputs {
			if upTo := deletable(&in); upTo > 0 && slices.Contains(l.Sub.Fed, in.Topic) {
				offsets.AddOffset(in.Topic, in.Partition, upTo, -1)
			}
		}
	}
	return offsets
}
