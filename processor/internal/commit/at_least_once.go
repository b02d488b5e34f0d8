package commit

import (
	"context"

	"github.com/millrace/millrace/processor/internal/group"
)

// atLeastOnce writes the outputs and the changes of state, then the position of
// the state, then the offsets, and waits for each before the next. A position
// is therefore never ahead of what it stands for: a crash in between repeats
// work, and loses none.
type atLeastOnce struct {
	group  *group.Offsets
	faults *CommitFaults
}

func (c *atLeastOnce) Write(ctx context.Context, b *WorkerCommit) Verdict {
	if err := c.writeAll(ctx, b); err != nil {
		return Verdict{Unknown, err, true}
	}
	c.faults.Reach(AfterFlush)
	return Verdict{Outcome: Committed}
}

func (c *atLeastOnce) writeAll(ctx context.Context, b *WorkerCommit) error {
	if err := b.producer.begin(); err != nil {
		return err
	}
	b.producer.sendOutputs(ctx, b)
	b.producer.sendEntries(ctx, b, true, false)
	c.faults.Reach(BeforeFlush)
	if err := b.producer.flush(ctx, true); err != nil {
		return err
	}
	b.producer.sendEntries(ctx, b, false, true)
	if err := b.producer.flush(ctx, true); err != nil {
		return err
	}
	return b.producer.changelogsBehind(b)
}

func (c *atLeastOnce) Finish(ctx context.Context, b *WorkerCommit) Verdict {
	v := commitOffsets(ctx, c.group, b)
	if v.Outcome == Committed {
		c.faults.Reach(AfterOffsets)
		return v
	}
	return c.Abandon(ctx, b, v.Err)
}

// Abandon leaves the outputs where they are; only where the tasks go on is
// undecided.
func (c *atLeastOnce) Abandon(_ context.Context, _ *WorkerCommit, reason error) Verdict {
	return Verdict{Unknown, reason, false}
}
