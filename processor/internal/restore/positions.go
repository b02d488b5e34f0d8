package restore

import (
	"context"

	"github.com/millrace/millrace/processor/internal/broker"
	"github.com/millrace/millrace/processor/internal/group"
	"github.com/millrace/millrace/processor/internal/planted"
	"github.com/millrace/millrace/processor/internal/task"
	"github.com/millrace/millrace/state"
)

// takePositions sets where the task goes on: at the committed offsets, at the
// beginning of what was never committed, and with at-least-once where the state
// is, if that is further. Of a topic that was made anew, and whose loss is accepted,
// the state knows the time still: that goes on, so what is closed stays closed.
func (r *Restorer) takePositions(ctx context.Context, t *TaskState, f *fitting) error {
	for i := range t.Inputs {
		in := &t.Inputs[i]
		c := f.offsets[in.TopicPartition]
		in.Offset, in.Watermark, in.Highest, in.Upstream = c.Offset, c.Meta.Watermark, c.Meta.Highest, c.Meta.Upstream
		in.Formats = c.Meta.Formats
		in.End, in.Finished, in.Notes, in.Failed = c.Meta.End, c.Meta.Finished, r.notesOf(t, c), c.Meta.Failed
		p, ok := t.Applied(in.TopicPartition, c.Meta.Notes)
		if ok && r.cfg.Topics.Another(in.Topic, p.TopicID) {
			in.Watermark, in.Highest, in.Upstream, ok = p.Watermark, p.Highest, p.Upstream, false
		}
		if ok && p.Offset == in.Offset {
			in.Upstream = p.Upstream // the metadata may be too small for it
		}
		if ok && r.cfg.AtLeastOnce && p.Offset > in.Offset {
			in.Stand(p)
		}
		if in.Offset < 0 {
			start, err := broker.LogStart.Ask(ctx, r.cfg.Requests, []broker.TopicPartition{in.TopicPartition})
			if err != nil {
				return err
			}
			in.Offset = start[in.TopicPartition]
		}
		if planted.On && r.cfg.Faults.NoWatermark {
			in.Watermark, in.Highest = group.NoCommit().Meta.Watermark, group.NoCommit().Meta.Highest
		}
		t.LogicalNow = c.Meta.LogicalNow
	}
	return nil
}

// Applied returns how far the state has got in a source partition: the store that
// has got furthest, of those that the notes do not say were away. With at-least-once
// a crash can come between the positions of two stores; all their changes were
// written before.
func (t *TaskState) Applied(tp broker.TopicPartition, notes []task.Note) (furthest state.Input, ok bool) {
	if t.Stores == nil {
		return state.Input{}, false
	}
	for i, s := range t.Sub.Stores {
		if note, noted := task.FindNote(notes, t.topics[i]); noted && note.Stopped != task.Following {
			continue
		}
		p, _ := t.Stores.Position(s.Name)
		if in, read := inputOf(p, tp); read && (!ok || in.Offset > furthest.Offset) {
			furthest, ok = in, true
		}
	}
	return furthest, ok
}

// inputOf is what a position says of a source partition.
func inputOf(p state.Position, tp broker.TopicPartition) (state.Input, bool) {
	for _, in := range p.Inputs {
		if in.Topic == tp.Topic && in.Partition == tp.Partition {
			return in, true
		}
	}
	return state.Input{}, false
}
