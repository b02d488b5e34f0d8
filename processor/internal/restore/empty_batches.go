package restore

import (
	"context"
	"fmt"

	"github.com/millrace/millrace/processor/internal/broker"
)

// stalled looks why a topic of that id gives nothing between at and to. Either an
// open transaction is in the way, and it has to be waited for; or compaction has
// left nothing but empty batches, which a client never shows: then the position
// after them is returned; or its broker gives nothing for now, which is an error or
// leaves the position where it is.
func (r *Restorer) stalled(ctx context.Context, tp broker.TopicPartition, id [16]byte, at, to int64) (int64, error) {
	stable, err := broker.StableEnd.Ask(ctx, r.cfg.Requests, []broker.TopicPartition{tp})
	if err != nil {
		return at, err
	}
	if s := stable[tp]; s < to {
		r.note(fmt.Errorf("topic %q partition %d has an open transaction at offset %d; waiting until it ends or times out", tp.Topic, tp.Partition, s))
		return at, nil
	}
	leader, _, err := r.reader.PartitionLeader(tp.Topic, tp.Partition)
	if err != nil || leader < 0 {
		return at, err
	}
	log := rawLog{client: r.reader, tp: tp, id: id, leader: leader}
	batches, err := log.batches(ctx, at)
	if err != nil {
		return at, err
	}
	return skipEmpty(batches, at), nil
}

// skipEmpty returns the position after the batches if none of them has a record, else
// at, or the position after those before the first that has one.
func skipEmpty(batches []byte, at int64) int64 {
	for b := range eachBatch(batches) {
		if b.count > 0 {
			break
		}
		at = max(at, b.last+1)
	}
	return at
}
