package restore

import (
	"context"
	"fmt"

	"github.com/millrace/millrace/processor/internal/broker"
	"github.com/millrace/millrace/processor/internal/topics"
)

// What a store has missed is read from its sources. In a compacted one a record is
// gone when its key has a later one, and a client shows the rest as if that were all.
// The batches say how many records they were written with, so it is known whether
// anything is gone, and only then a store is refused. What compaction removes between
// this look and the reading is not seen; it takes no record that is younger than
// min.compaction.lag.ms, nor of the segment that is written.

// thinned returns the first offsets of a range that may be gone; false if there is
// nothing that was removed. Topics that are not compacted are not read; where settings
// may not be asked for, any topic is.
func (r *Restorer) thinned(ctx context.Context, tp broker.TopicPartition, from, to int64) (first, last int64, gone bool, err error) {
	if !topics.MayBeCompacted(ctx, r.cfg.Requests, tp.Topic) {
		return 0, 0, false, nil
	}
	id, leader, err := topics.LeaderOf(ctx, r.cfg.Requests, tp)
	if err != nil {
		return 0, 0, false, err
	}
	log := rawLog{client: r.cfg.Requests, tp: tp, id: id, leader: leader}
	for at := from; at < to; {
		batches, err := log.batches(ctx, at)
		if err != nil {
			return 0, 0, false, fmt.Errorf("read topic %q partition %d from offset %d: %w", tp.Topic, tp.Partition, at, err)
		}
		for b := range eachBatch(batches) {
			switch {
			case at >= to:
			case b.first > at:
				return at, b.first - 1, true, nil
			case b.count <= b.last-b.first:
				return max(b.first, from), b.last, true, nil
			}
			at = max(at, b.last+1)
		}
	}
	return 0, 0, false, nil
}
