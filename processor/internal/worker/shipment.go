package worker

import (
	"context"
	"fmt"
	"time"

	"github.com/millrace/millrace/state"
)

// sendOutputs hands over what the tasks emit.
func (p *producer) sendOutputs(ctx context.Context, b *batch) {
	for _, l := range b.leases {
		for i := range l.pending.Outputs {
			o := &l.pending.Outputs[i]
			p.send(ctx, o.Topic, o.Partition, time.UnixMilli(o.Timestamp), o.Key, o.Value, o.Headers)
		}
	}
}

// sendEntries hands over the changes of state, without or only the positions,
// or both.
func (p *producer) sendEntries(ctx context.Context, applicationID string, b *batch, changes, positions bool) {
	for _, l := range b.leases {
		for i := range l.pending.Entries {
			e := &l.pending.Entries[i]
			if position := isPosition(e); position && !positions || !position && !changes {
				continue
			}
			topic := l.changelogs(applicationID)[e.Store]
			l.sent[i] = p.send(ctx, topic, l.id.Partition, b.at, e.Key, e.Value, nil)
		}
	}
}

// isPosition tells a position record from a change of state: its key is the tag
// alone.
func isPosition(e *state.Entry) bool { return len(e.Key) == 1 && e.Key[0] == 0 }

// changelogsBehind fills in, for each task of the batch, the changelog offsets
// behind what was just acknowledged.
func (p *producer) changelogsBehind(b *batch) error {
	for _, l := range b.leases {
		for i, e := range l.pending.Entries {
			offset := p.slab.at(l.sent[i]).Offset
			if offset < 0 {
				return fmt.Errorf("task %s, store %q: the broker did not say at which offset it wrote the changelog", l.id, l.sub.Stores[e.Store].Name)
			}
			l.next[e.Store] = max(l.next[e.Store], offset+1)
		}
	}
	return nil
}
