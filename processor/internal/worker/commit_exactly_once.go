package worker

import (
	"context"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/millrace/millrace/processor/internal/group"
)

// exactlyOnce commits outputs, state and offsets in one transaction. A batch
// without records has nothing a transaction could protect: its offsets are
// committed plainly, fenced by the generation.
type exactlyOnce struct {
	group   *group.Offsets
	stepped bool
	faults  *Faults
}

// write begins the transaction, produces everything, and looks at every answer.
func (c *exactlyOnce) write(ctx context.Context, b *batch) verdict {
	if outputs, entries := b.records(); outputs+entries == 0 {
		return verdict{outcome: done}
	}
	if c.faults.SendEarly {
		ctx = context.WithoutCancel(ctx) // it would end before the records are sent
	}
	err := c.send(ctx, b)
	if err == nil && !c.faults.SendEarly {
		err = c.flush(ctx, b)
	}
	if err != nil {
		return verdict{undone, err, true}
	}
	return verdict{outcome: done}
}

func (c *exactlyOnce) send(ctx context.Context, b *batch) error {
	if err := b.producer.begin(); err != nil {
		return err
	}
	b.open = true
	b.producer.sendOutputs(ctx, b)
	b.producer.sendEntries(ctx, b, true, true)
	return nil
}

func (c *exactlyOnce) flush(ctx context.Context, b *batch) error {
	c.faults.at(BeforeFlush)
	if err := b.producer.flush(ctx, !c.faults.NoG1); err != nil {
		return err
	}
	if err := b.producer.changelogsBehind(b); err != nil && !c.faults.NoG1 {
		return err
	}
	c.faults.at(AfterFlush)
	return nil
}

func (c *exactlyOnce) finish(ctx context.Context, b *batch) verdict {
	if !b.open {
		return commitOffsets(ctx, c.group, b)
	}
	if c.faults.SendEarly {
		if err := c.flush(ctx, b); err != nil {
			return verdict{undone, err, true}
		}
	}
	h := group.OpenTxn{Client: b.producer.client, ID: b.producer.txnID, Stepped: c.stepped}
	if err := c.group.CommitIn(ctx, h, b.who, b.pledges); err != nil {
		return c.abandon(ctx, b, err)
	}
	c.faults.at(AfterOffsets)
	if err := b.producer.end(ctx, kgo.TryCommit); err != nil {
		return verdict{unknown, err, true}
	}
	return verdict{outcome: done}
}

// abandon ends a transaction that must not commit. Its commit was never asked
// for, so it is undone in any case; if the abort itself fails, the producer is
// in doubt.
func (c *exactlyOnce) abandon(ctx context.Context, b *batch, reason error) verdict {
	if !b.open {
		return verdict{undone, reason, false}
	}
	if c.faults.SendEarly {
		_ = c.flush(ctx, b) // what is under way cannot be aborted
	}
	if err := b.producer.end(ctx, kgo.TryAbort); err != nil {
		return verdict{undone, fmt.Errorf("%w; and the abort failed: %w", reason, err), true}
	}
	return verdict{undone, reason, !group.Refused(reason) && !errors.Is(reason, errBehind)}
}

// commitOffsets commits a batch that is nothing but offsets.
func commitOffsets(ctx context.Context, g *group.Offsets, b *batch) verdict {
	err := g.Commit(ctx, b.who, b.pledges)
	switch {
	case err == nil:
		return verdict{outcome: done}
	case group.Refused(err):
		return verdict{undone, err, false}
	}
	return verdict{unknown, err, false}
}
