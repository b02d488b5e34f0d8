package task

import (
	"slices"

	"github.com/millrace/millrace/processor/internal/graph"
	"github.com/millrace/millrace/processor/internal/invariant"
	"github.com/millrace/millrace/state"
)

// What always holds of a task is looked at where a violation is made: when records
// come in, when a commit is prepared, and when it has been applied. Seen from
// outside it would be a wrong result, some commits later. Callers ask
// invariant.Enabled first.

// mustAscend is G4 inside of a batch: its offsets ascend, and end before next.
func (in *input) mustAscend(batch []graph.Message, next int64) {
	last := in.next - 1
	for i := range batch {
		if batch[i].Offset <= last {
			invariant.Violated("G4", "topic %q partition %d: offset %d comes after %d", in.Topic, in.Partition, batch[i].Offset, last)
		}
		last = batch[i].Offset
	}
	if next <= last {
		invariant.Violated("G4", "topic %q partition %d: offset %d is not before the position %d behind its batch", in.Topic, in.Partition, last, next)
	}
}

// mustGoOn is I6 and I8: what is committed of an input never goes back, nor does its
// watermark, and nothing is committed that was not handed over.
func (t *Task) mustGoOn(c *Commit) {
	for i, in := range t.inputs {
		now, before := c.Offsets[i], in.promised
		switch {
		case now.Offset < before.Offset || now.Offset > in.next:
			invariant.Violated("I6", "task %s: topic %q partition %d: a commit of offset %d after %d, of records up to %d", t.cfg.ID, in.Topic, in.Partition, now.Offset, before.Offset, in.next)
		case now.Watermark < before.Watermark:
			invariant.Violated("I8", "task %s: topic %q partition %d: watermark %d after %d", t.cfg.ID, in.Topic, in.Partition, now.Watermark, before.Watermark)
		}
		in.promised = now
	}
}

// mustStandAt is I2: a store that was just written stands at the offsets of the
// commit that it was written for. While another one is brought up a store is set aside.
func (t *Task) mustStandAt(c *Commit) {
	for _, spec := range t.cfg.Subtopology.Stores {
		if !t.cfg.Subtopology.Owns(spec.Name) {
			continue
		}
		p, ok := t.cfg.Stores.Position(spec.Name)
		for _, want := range c.Reached {
			at := slices.IndexFunc(p.Inputs, func(in state.Input) bool { return in.Topic == want.Topic && in.Partition == want.Partition })
			if !ok || at < 0 || p.Inputs[at].Offset != want.Offset {
				invariant.Violated("I2", "task %s: store %q stands at %+v after a commit of topic %q partition %d offset %d", t.cfg.ID, spec.Name, p.Inputs, want.Topic, want.Partition, want.Offset)
			}
		}
	}
}
