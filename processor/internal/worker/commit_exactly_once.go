package worker

import (
	"context"
	"fmt"

	"github.com/twmb/franz-go/pkg/kgo"
)

// exactlyOnce commits outputs, state and offsets in one transaction. A batch
// without records has nothing a transaction could protect: its offsets are
// committed plainly, fenced by the generation.
type exactlyOnce struct {
	applicationID string
	producer      *producer
	group         *group
	stepped       bool
	faults        *Faults
}

func (c *exactlyOnce) commit(ctx context.Context, b *batch) verdict {
	if outputs, entries := b.records(); outputs+entries == 0 {
		return commitOffsets(ctx, c.group, b)
	}
	if err := c.write(ctx, b); err != nil {
		return verdict{undone, err, true}
	}
	c.faults.at(AfterFlush)
	if c.faults.ApplyBeforeCommit {
		b.early = true
		for _, l := range b.leases {
			if err := l.apply(b.at); err != nil {
				return verdict{undone, err, true}
			}
		}
	}
	h := holder{c.producer.client, c.producer.txnID, c.stepped}
	if err := c.group.commitIn(ctx, h, b.who, b.pledges()); err != nil {
		return c.abort(ctx, err)
	}
	c.faults.at(AfterOffsets)
	if err := c.producer.end(ctx, kgo.TryCommit); err != nil {
		return verdict{unknown, err, true}
	}
	return verdict{outcome: done}
}

// write begins the transaction, produces everything, and looks at every answer.
func (c *exactlyOnce) write(ctx context.Context, b *batch) error {
	if err := c.producer.begin(); err != nil {
		return err
	}
	c.producer.sendOutputs(ctx, b)
	c.producer.sendEntries(ctx, c.applicationID, b, true, true)
	c.faults.at(BeforeFlush)
	if err := c.producer.flush(ctx, !c.faults.NoG1); err != nil {
		return err
	}
	if err := c.producer.changelogsBehind(b); err != nil && !c.faults.NoG1 {
		return err
	}
	return nil
}

// abort ends a transaction whose offsets were not accepted. Its commit was never
// asked for, so it is undone in any case; if the abort itself fails, the
// producer is in doubt.
func (c *exactlyOnce) abort(ctx context.Context, reason error) verdict {
	if err := c.producer.end(ctx, kgo.TryAbort); err != nil {
		return verdict{undone, fmt.Errorf("%w; and the abort failed: %w", reason, err), true}
	}
	return verdict{undone, reason, !refused(reason)}
}

// commitOffsets commits a batch that is nothing but offsets.
func commitOffsets(ctx context.Context, g *group, b *batch) verdict {
	err := g.commit(ctx, b.who, b.pledges())
	switch {
	case err == nil:
		return verdict{outcome: done}
	case refused(err):
		return verdict{undone, err, false}
	}
	return verdict{unknown, err, false}
}
