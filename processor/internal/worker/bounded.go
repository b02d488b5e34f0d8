package worker

import (
	"context"
	"fmt"
	"time"

	"github.com/millrace/millrace/processor/internal/broker"
	"github.com/millrace/millrace/processor/internal/group"
)

// finishPoll is how often a worker whose own tasks are finished looks whether
// those of the others are.
const finishPoll = 250 * time.Millisecond

func finished(offsets map[broker.TopicPartition]group.Committed, run string) bool {
	for _, c := range offsets {
		if c.Offset < 0 || c.Meta.Run != run || !c.Meta.Finished {
			return false
		}
	}
	return true
}

// refuseNewer makes an error of records that came after the end of a finished
// run: silence would look as if they had been processed.
func (s *startCheck) refuseNewer(ctx context.Context, offsets map[broker.TopicPartition]group.Committed) error {
	internal := map[string]bool{}
	for _, r := range s.cfg.Graph.Repartitions() {
		internal[r.Topic] = true
	}
	var parts []broker.TopicPartition
	for tp := range offsets {
		parts = append(parts, tp)
	}
	return broker.Retry(ctx, s.cfg.Events.warning, func(ctx context.Context) error {
		ends, err := broker.StableEnd.Ask(ctx, s.client, parts)
		if err != nil {
			return err
		}
		for tp, c := range offsets {
			if ends[tp] > c.Meta.End && !internal[tp.Topic] {
				return fmt.Errorf("the bounded run %q of group %q ended at offset %d of topic %q partition %d, which has gone on to %d; a finished run is not gone on with: choose another application id, or: %w", s.cfg.run(), s.cfg.ApplicationID, c.Meta.End, tp.Topic, tp.Partition, ends[tp], broker.ErrReset)
			}
		}
		return nil
	})
}

// over says that every task of the group is finished. Until then a worker stays,
// for it may have to take over what another leaves.
func (w *Worker) over(ctx context.Context) bool {
	if w.cfg.run() == "" || time.Since(w.lastLook) < finishPoll || !w.leases.finished() {
		return false
	}
	w.lastLook = time.Now()
	offsets, err := w.group.Fetch(ctx, w.catalog.Layout.Everything(), false)
	if err != nil {
		w.cfg.Events.warning(fmt.Errorf("look whether the run is over: %w", err))
		return false
	}
	return finished(offsets, w.cfg.run())
}
