package restore

import (
	"context"
	"fmt"

	"github.com/millrace/millrace/processor/internal/broker"
	"github.com/millrace/millrace/processor/internal/group"
	"github.com/millrace/millrace/processor/internal/task"
)

// fixEnds decides, for a bounded run, where a task's inputs end: once, by the
// first owner, in the group itself, so that every later owner reads the same.
func (r *Restorer) fixEnds(ctx context.Context, t *TaskState, offsets map[broker.TopicPartition]group.Committed) error {
	run := r.cfg.Run
	if run == "" || t.fixed(offsets, run) {
		return nil
	}
	ends, err := broker.StableEnd.Ask(ctx, r.cfg.Requests, t.partitions())
	if err != nil {
		return err
	}
	who := r.cfg.Who()
	if !who.Owns(t.Owner) {
		return fmt.Errorf("the member %q it was assigned to is gone", t.Owner.Member)
	}
	now := r.cfg.Now().UnixMilli()
	var commits []group.OffsetCommit
	for i := range t.Inputs {
		in := &t.Inputs[i]
		in.End = max(ends[in.TopicPartition], in.Offset)
		meta := offsets[in.TopicPartition].Meta
		meta.Watermark, meta.Highest, meta.Upstream = in.Watermark, in.Highest, in.Upstream
		meta.Run, meta.End, meta.LogicalNow = run, in.End, now
		commits = append(commits, group.OffsetCommit{TopicPartition: in.TopicPartition, Offset: in.Offset, Metadata: task.EncodeMeta(meta)})
	}
	t.LogicalNow = now
	return r.cfg.Offsets.Commit(ctx, who, commits)
}

// fixed reports whether the ends of all inputs are known.
func (t *TaskState) fixed(offsets map[broker.TopicPartition]group.Committed, run string) bool {
	for _, in := range t.Inputs {
		if offsets[in.TopicPartition].Meta.Run != run {
			return false
		}
	}
	return true
}
