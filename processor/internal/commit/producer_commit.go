package commit

import (
	"context"
	"fmt"
	"time"

	"github.com/millrace/millrace/processor/internal/broker"
	"github.com/millrace/millrace/state"
)

// sendOutputs hands over what the tasks emit.
func (p *producer) sendOutputs(ctx context.Context, b *WorkerCommit) {
	for i := range b.Parts {
		outputs := b.Parts[i].Commit.Outputs
		for n := range outputs {
			o := &outputs[n]
			p.send(ctx, o.Topic, o.Partition, time.UnixMilli(o.Timestamp), o.Key, o.Value, o.Headers)
		}
	}
}

// sendEntries hands over the changes of state, without or only the positions,
// or both.
func (p *producer) sendEntries(ctx context.Context, b *WorkerCommit, changes, positions bool) {
	for i := range b.Parts {
		part := &b.Parts[i]
		for n := range part.Commit.Entries {
			e := &part.Commit.Entries[n]
			if position := isPosition(e); position && !positions || !position && !changes {
				continue
			}
			part.sent[n] = p.send(ctx, part.topics[e.Store], part.ID.Partition, b.At, e.Key, e.Value, nil)
		}
	}
}

// isPosition tells a position record from a change of state: its key is the tag
// alone.
func isPosition(e *state.Entry) bool { return len(e.Key) == 1 && e.Key[0] == 0 }

// changelogsBehind fills in, for each task of the commit, the changelog offsets
// after what was just acknowledged.
func (p *producer) changelogsBehind(b *WorkerCommit) error {
	for i := range b.Parts {
		part := &b.Parts[i]
		for n, e := range part.Commit.Entries {
			offset := p.arena.at(part.sent[n]).Offset
			if offset < 0 {
				return fmt.Errorf("task %s, store %q: the broker did not say at which offset it wrote the changelog", part.ID, part.stores[e.Store].Name)
			}
			if known := part.known[e.Store]; offset < known {
				return fmt.Errorf("task %s: the broker wrote to changelog %q partition %d at offset %d, and the store has followed it to offset %d: the topic was deleted and made anew, or cut off, while the application ran; nothing of this commit is believed, and local state is left as it is: %w", part.ID, part.topics[e.Store], part.ID.Partition, offset, known, broker.ErrReset)
			}
			part.next[e.Store] = max(part.next[e.Store], offset+1)
		}
	}
	return nil
}
