package worker

import "context"

// atLeastOnce writes the outputs and the changes of state, then the position of
// the state, then the offsets, and waits for each before the next. A position
// is therefore never ahead of what it stands for: a crash in between repeats
// work, and loses none.
type atLeastOnce struct {
	applicationID string
	producer      *producer
	group         *group
	faults        *Faults
}

func (c *atLeastOnce) commit(ctx context.Context, b *batch) verdict {
	if err := c.write(ctx, b); err != nil {
		return verdict{unknown, err, true}
	}
	c.faults.at(AfterFlush)
	v := commitOffsets(ctx, c.group, b)
	if v.outcome == undone {
		// The outputs stay; only where the tasks go on is undecided.
		v.outcome = unknown
	}
	if v.outcome == done {
		c.faults.at(AfterOffsets)
	}
	return v
}

func (c *atLeastOnce) write(ctx context.Context, b *batch) error {
	if err := c.producer.begin(); err != nil {
		return err
	}
	c.producer.sendOutputs(ctx, b)
	c.producer.sendEntries(ctx, c.applicationID, b, true, false)
	c.faults.at(BeforeFlush)
	if err := c.producer.flush(ctx, true); err != nil {
		return err
	}
	c.producer.sendEntries(ctx, c.applicationID, b, false, true)
	if err := c.producer.flush(ctx, true); err != nil {
		return err
	}
	return c.producer.changelogsBehind(b)
}
