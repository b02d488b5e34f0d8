package worker

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/millrace/millrace/processor/internal/graph"
	"github.com/millrace/millrace/processor/internal/task"
)

// finishPoll is how often a worker whose own tasks are finished looks whether
// those of the others are.
const finishPoll = 250 * time.Millisecond

// admit says whether a run may go on from a committed offset. run is empty for
// a live one.
func (c committed) admit(group string, tp topicPartition, run string) error {
	where := fmt.Sprintf("group %q, topic %q partition %d", group, tp.topic, tp.partition)
	switch {
	case c.offset < 0:
		return nil
	case c.foreign:
		return fmt.Errorf("%s: offset %d was committed by another program, so the state cannot be known to fit it: %w", where, c.offset, ErrReset)
	case c.meta.Run == run:
		return nil
	case run == "":
		return fmt.Errorf("%s: offset %d belongs to the bounded run %q and is not gone on from: %w", where, c.offset, c.meta.Run, ErrReset)
	case c.meta.Run != "":
		return fmt.Errorf("%s: offset %d belongs to the bounded run %q, not to %q: %w", where, c.offset, c.meta.Run, run, ErrReset)
	}
	return nil
}

// admitFormat refuses to go on with a repartition topic that a version of the
// application has read as something else. It is asked before the group is joined too,
// so that nothing is written that the other version does not read; and this holds if
// nothing is under way: at the next moment something may be.
func (c committed) admitFormat(tp topicPartition, own *graph.Format) error {
	if err := task.FormatRefused(own, c.meta); err != nil {
		return fmt.Errorf("topic %q partition %d: %w", tp.topic, tp.partition, err)
	}
	return nil
}

// fixEnds decides, for a bounded run, where a task's inputs end: once, by the
// first owner, in the group itself, so that every later owner reads the same.
func (r *restorer) fixEnds(ctx context.Context, l *lease, offsets map[topicPartition]committed) error {
	run := r.cfg.run()
	if run == "" || l.fixed(offsets, run) {
		return nil
	}
	ends, err := stableEnd.offsets(ctx, r.client, l.partitions())
	if err != nil {
		return err
	}
	who := r.member.identity()
	if !who.owns(l.owner) {
		return fmt.Errorf("the member %q it was assigned to is gone", l.owner.member)
	}
	now := r.cfg.Now().UnixMilli()
	var pledges []pledge
	for i := range l.inputs {
		in := &l.inputs[i]
		in.end = max(ends[in.topicPartition], in.offset)
		was := offsets[in.topicPartition].meta
		meta := task.Meta{Watermark: in.watermark, Highest: in.highest, Upstream: in.upstream, Run: run, End: in.end, LogicalNow: now, Notes: was.Notes, Formats: was.Formats}
		pledges = append(pledges, pledge{in.topicPartition, in.offset, task.EncodeMeta(meta)})
	}
	l.logicalNow = now
	return r.group.commit(ctx, who, pledges)
}

// fixed says that the ends of all inputs are known.
func (l *lease) fixed(offsets map[topicPartition]committed, run string) bool {
	for _, in := range l.inputs {
		if offsets[in.topicPartition].meta.Run != run {
			return false
		}
	}
	return true
}

func (l *lease) partitions() (all []topicPartition) {
	for _, in := range l.inputs {
		all = append(all, in.topicPartition)
	}
	return all
}

// everything lists all source partitions of the application.
func (c *catalog) everything() map[string][]int32 {
	parts := map[string][]int32{}
	for s, topics := range c.layout.sources {
		for _, t := range topics {
			for p := range c.layout.partitions[s] {
				parts[t] = append(parts[t], p)
			}
		}
	}
	return parts
}

// precheck looks at all committed offsets before the worker joins the group: a
// run that may not go on is refused, and one that is over is not begun again.
func (w *Worker) precheck(ctx context.Context) (over bool, err error) {
	found, err := w.findRecords(ctx)
	if err != nil {
		return false, err
	}
	var offsets map[topicPartition]committed
	err = retry(ctx, w.cfg.Events.warning, func(ctx context.Context) (err error) {
		offsets, err = w.group.fetch(ctx, w.catalog.everything(), false)
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
		if err := c.admit(w.cfg.ApplicationID, tp, w.cfg.run()); err != nil {
			return false, err
		}
		if err := c.admitFormat(tp, formats[tp.topic]); err != nil {
			return false, err
		}
	}
	if err := w.clear(ctx, found, offsets); err != nil {
		return false, err
	}
	if w.cfg.run() == "" || len(offsets) == 0 || !finished(offsets, w.cfg.run()) {
		return false, nil
	}
	return true, w.refuseNewer(ctx, offsets)
}

func finished(offsets map[topicPartition]committed, run string) bool {
	for _, c := range offsets {
		if c.offset < 0 || c.meta.Run != run || !c.meta.Finished {
			return false
		}
	}
	return true
}

// refuseNewer makes an error of records that came after the end of a finished
// run: silence would look as if they had been processed.
func (w *Worker) refuseNewer(ctx context.Context, offsets map[topicPartition]committed) error {
	internal := map[string]bool{}
	for _, r := range w.cfg.Graph.Repartitions() {
		internal[r.Topic] = true
	}
	var parts []topicPartition
	for tp := range offsets {
		parts = append(parts, tp)
	}
	return retry(ctx, w.cfg.Events.warning, func(ctx context.Context) error {
		ends, err := stableEnd.offsets(ctx, w.fetcher.client, parts)
		if err != nil {
			return err
		}
		for tp, c := range offsets {
			if ends[tp] > c.meta.End && !internal[tp.topic] {
				return fmt.Errorf("the bounded run %q of group %q ended at offset %d of topic %q partition %d, which has gone on to %d; a finished run is not gone on with: choose another application id, or: %w", w.cfg.run(), w.cfg.ApplicationID, c.meta.End, tp.topic, tp.partition, ends[tp], ErrReset)
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
	offsets, err := w.group.fetch(ctx, w.catalog.everything(), false)
	if err != nil {
		w.cfg.Events.warning(fmt.Errorf("look whether the run is over: %w", err))
		return false
	}
	return finished(offsets, w.cfg.run())
}
