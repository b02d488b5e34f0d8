package worker

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"

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

// purge deletes from the repartition topics what was processed and committed.
// It can wait, so a failure is only told.
func (w *Worker) purge(ctx context.Context) {
	if err, ok := w.purged.Answer(); ok && err != nil && ctx.Err() == nil {
		w.cfg.Events.warning(fmt.Errorf("delete processed records from repartition topics: %w", err))
	}
	if w.purged.UnderWay() || time.Since(w.lastPurge) < purgeInterval {
		return
	}
	w.lastPurge = time.Now()
	offsets := w.processedOffsets()
	if len(offsets) == 0 {
		return
	}
	client := kadm.NewClient(w.fetcher.Client)
	w.purged.Start(&w.waker, func() error {
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
func (w *Worker) processedOffsets() kadm.Offsets {
	offsets := kadm.Offsets{}
	for l := range w.running() {
		for _, in := range l.Inputs {
			if upTo := deletable(&in); upTo > 0 && slices.Contains(l.Sub.Fed, in.Topic) {
				offsets.AddOffset(in.Topic, in.Partition, upTo, -1)
			}
		}
	}
	return offsets
}
