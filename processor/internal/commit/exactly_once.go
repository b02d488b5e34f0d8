package commit

import (
	"context"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/millrace/millrace/processor/internal/group"
	"github.com/millrace/millrace/processor/internal/planted"
)

// exactlyOnce commits outputs, state and offsets in one transaction. A commit
// without records has nothing a transaction could protect: its offsets are
// committed plainly, fenced by the generation.
type exactlyOnce struct {
	group   *group.Offsets
	stepped bool
	faults  *CommitFaults
}

// Write begins the transaction, produces everything, and looks at every answer.
func (c *exactlyOnce) Write(ctx context.Context, b *WorkerCommit) Verdict {
	if outputs, entries := b.Records(); outputs+entries == 0 {
		return Verdict{Outcome: Committed}
	}
	if planted.On && c.faults.SendEarly {
		ctx = context.WithoutCancel(ctx) // it would end before the records are sent
	}
	err := c.send(ctx, b)
	if err == nil && !(planted.On && c.faults.SendEarly) {
		err = c.flush(ctx, b)
	}
	if err != nil {
		return Verdict{Aborted, err, true}
	}
	return Verdict{Outcome: Committed}
}

func (c *exactlyOnce) send(ctx context.Context, b *WorkerCommit) error {
	if err := b.producer.begin(); err != nil {
		return err
	}
	b.open = true
	b.producer.sendOutputs(ctx, b)
	b.producer.sendEntries(ctx, b, true, true)
	return nil
}

func (c *exactlyOnce) flush(ctx context.Context, b *WorkerCommit) error {
	c.faults.Reach(BeforeFlush)
	if err := b.producer.flush(ctx, !(planted.On && c.faults.NoG1)); err != nil {
		return err
	}
	if err := b.producer.changelogsBehind(b); err != nil && !(planted.On && c.faults.NoG1) {
		return err
	}
	c.faults.Reach(AfterFlush)
	return nil
}

func (c *exactlyOnce) Finish(ctx context.Context, b *WorkerCommit) Verdict {
	if !b.open {
		return commitOffsets(ctx, c.group, b)
	}
	if planted.On && c.faults.SendEarly {
		if err := c.flush(ctx, b); err != nil {
			return Verdict{Aborted, err, true}
		}
	}
	h := group.OpenTxn{Client: b.producer.client, ID: b.producer.txnID, Stepped: c.stepped}
	if err := c.group.CommitIn(ctx, h, b.Who, b.Offsets); err != nil {
		return c.Abandon(ctx, b, err)
	}
	c.faults.Reach(AfterOffsets)
	if err := b.producer.end(ctx, kgo.TryCommit); err != nil {
		return Verdict{Unknown, err, true}
	}
	return Verdict{Outcome: Committed}
}

// Abandon ends a transaction that must not commit. Its commit was never asked
// for, so it is undone in any case; if the abort itself fails, the producer is
// in doubt.
func (c *exactlyOnce) Abandon(ctx context.Context, b *WorkerCommit, reason error) Verdict {
	if !b.open {
		return Verdict{Aborted, reason, false}
	}
	if planted.On && c.faults.SendEarly {
		_ = c.flush(ctx, b) // what is under way cannot be aborted
	}
	if err := b.producer.end(ctx, kgo.TryAbort); err != nil {
		return Verdict{Aborted, fmt.Errorf("%w; and the abort failed: %w", reason, err), true}
	}
	return Verdict{Aborted, reason, !group.Refused(reason) && !errors.Is(reason, errBehind)}
}

// commitOffsets commits a commit that is nothing but offsets.
func commitOffsets(ctx context.Context, g *group.Offsets, b *WorkerCommit) Verdict {
	err := g.Commit(ctx, b.Who, b.Offsets)
	switch {
	case err == nil:
		return Verdict{Outcome: Committed}
	case group.Refused(err):
		return Verdict{Aborted, err, false}
	}
	return Verdict{Unknown, err, false}
}
