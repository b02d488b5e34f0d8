package worker

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
	faults *Faults
}

func (c *atLeastOnce) write(ctx context.Context, b *batch) verdict {
	if err := c.writeAll(ctx, b); err != nil {
		return verdict{unknown, err, true}
	}
	c.faults.at(AfterFlush)
	return verdict{outcome: done}
}

func (c *atLeastOnce) writeAll(ctx context.Context, b *batch) error {
	if err := b.producer.begin(); err != nil {
		return err
	}
	b.producer.sendOutputs(ctx, b)
	b.producer.sendEntries(ctx, b, true, false)
	c.faults.at(BeforeFlush)
	if err := b.producer.flush(ctx, true); err != nil {
		return err
	}
	b.producer.sendEntries(ctx, b, false, true)
	if err := b.producer.flush(ctx, true); err != nil {
		return err
	}
	return b.producer.changelogsBehind(b)
}

func (c *atLeastOnce) finish(ctx context.Context, b *batch) verdict {
	v := commitOffsets(ctx, c.group, b)
	if v.outcome == done {
		c.faults.at(AfterOffsets)
		return v
	}
	return c.abandon(ctx, b, v.err)
}

// abandon leaves the outputs where they are; only where the tasks go on is
// undecided.
func (c *atLeastOnce) abandon(_ context.Context, _ *batch, reason error) verdict {
	return verdict{unknown, reason, false}
}
