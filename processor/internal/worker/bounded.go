package worker

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/millrace/millrace/processor/internal/broker"
	"github.com/millrace/millrace/processor/internal/group"
	"github.com/millrace/millrace/processor/internal/restore"
	"github.com/millrace/millrace/processor/internal/topics"
)

// finishPoll is how often a worker whose own tasks are finished looks whether
// those of the others are.
const finishPoll = 250 * time.Millisecond

// precheck looks at all committed offsets before the worker joins the group: a
// run that may not go on is refused, and one that is over is not begun again.
func (w *Worker) precheck(ctx context.Context) (over bool, err error) {
	found, err := topics.FindLeftovers(ctx, w.topicsConfig(), w.fetcher.Client, w.catalog, w.group)
	if err != nil {
		return false, err
	}
	var offsets map[broker.TopicPartition]group.Committed
	err = broker.Retry(ctx, w.cfg.Events.warning, func(ctx context.Context) (err error) {
		offsets, err = w.group.Fetch(ctx, w.catalog.Layout.Everything(), false)
		if errors.Is(err, kerr.GroupIDNotFound) { // nobody was ever here
			offsets, err = nil, nil
		}
		return err
	})
	if err != nil {
		return false, err
	}
	formats := w.cfg.Graph.Formats()
	for tp, c := range offsets {
		if err := c.Admit(w.cfg.ApplicationID, tp, w.cfg.run()); err != nil {
			return false, err
		}
		if err := restore.AdmitFormat(c, tp, formats[tp.Topic]); err != nil {
			return false, err
		}
	}
	if err := found.Clear(ctx, offsets); err != nil {
		return false, err
	}
	look := restore.Look{Client: w.cfg.Client, Requests: w.fetcher.Client, Warn: w.cfg.Events.warning}
	if err := look.Formats(ctx, formats, offsets, w.catalog.Layout.Everything()); err != nil {
		return false, err
	}
	if len(offsets) > 0 {
		if err := w.admitState(ctx, look, offsets); err != nil {
			return false, err
		}
	}
	w.warnOfLeftBehind(ctx, offsets)
	if w.cfg.run() == "" || len(offsets) == 0 || !finished(offsets, w.cfg.run()) {
		return false, nil
	}
	return true, w.refuseNewer(ctx, offsets)
}

// admitState refuses what a task would be refused for when it is restored, and what
// only the offsets of all tasks show.
func (w *Worker) admitState(ctx context.Context, look restore.Look, offsets map[broker.TopicPartition]group.Committed) error {
	subs := w.cfg.Graph.Subtopologies()
	positions, err := look.LastPositions(ctx, w.cfg.ApplicationID, subs, w.catalog.Layout.Partitions)
	if err != nil {
		return err
	}
	renaming := restore.Renaming{ApplicationID: w.cfg.ApplicationID, Subs: subs, Offsets: offsets}
	for _, p := range positions {
		if err := errors.Join(restore.AdmitMeaning(p), renaming.Admit(p)); err != nil {
			return err
		}
	}
	return nil
}

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
func (w *Worker) refuseNewer(ctx context.Context, offsets map[broker.TopicPartition]group.Committed) error {
	internal := map[string]bool{}
	for _, r := range w.cfg.Graph.Repartitions() {
		internal[r.Topic] = true
	}
	var parts []broker.TopicPartition
	for tp := range offsets {
		parts = append(parts, tp)
	}
	return broker.Retry(ctx, w.cfg.Events.warning, func(ctx context.Context) error {
		ends, err := broker.StableEnd.Ask(ctx, w.fetcher.Client, parts)
		if err != nil {
			return err
		}
		for tp, c := range offsets {
			if ends[tp] > c.Meta.End && !internal[tp.Topic] {
				return fmt.Errorf("the bounded run %q of group %q ended at offset %d of topic %q partition %d, which has gone on to %d; a finished run is not gone on with: choose another application id, or: %w", w.cfg.run(), w.cfg.ApplicationID, c.Meta.End, tp.Topic, tp.Partition, ends[tp], broker.ErrReset)
			}
		}
		return nil
	})
}

// over says that every task of the group is finished. Until then a worker stays,
// for it may have to take over what another leaves.
func (w *Worker) over(ctx context.Context) bool {
	if w.cfg.run() == "" || time.Since(w.lastLook) < finishPoll {
		return false
	}
	for _, l := range w.leases {
		if !l.finished() {
			return false
		}
	}
	w.lastLook = time.Now()
	offsets, err := w.group.Fetch(ctx, w.catalog.Layout.Everything(), false)
	if err != nil {
		w.cfg.Events.warning(fmt.Errorf("look whether the run is over: %w", err))
		return false
	}
	return finished(offsets, w.cfg.run())
}
