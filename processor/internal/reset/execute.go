package reset

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
)

// executeTimeout bounds the execution of a plan.
const executeTimeout = 2 * time.Minute

// Execute does what the plan says, and tells each thing it has done; told may be
// nil. The brokers refuse to delete a group with members, so that comes first:
// if the application was started since the plan was made, nothing is lost. What
// fails in between can be executed again, with a new plan.
func (p *Plan) Execute(ctx context.Context, told func(done string)) error {
	if len(p.Undecided()) > 0 {
		return p.undecidedError()
	}
	if told == nil {
		told = func(string) {}
	}
	ctx, cancel := context.WithTimeout(ctx, executeTimeout)
	defer cancel()
	release, err := p.lockState()
	if err != nil {
		return err
	}
	defer release()
	c, err := connect(ctx, &p.cfg)
	if err != nil {
		return err
	}
	defer c.close()
	if _, err := c.idle(ctx); err != nil {
		return err
	}
	if err := c.forget(ctx, p, told); err != nil {
		return err
	}
	if topics := p.names(Delete); len(topics) > 0 {
		if err := c.deleteTopics(ctx, topics, told); err != nil {
			return fmt.Errorf("%w; the offsets are forgotten already, the topics %q have to go too", err, topics)
		}
	}
	removed, err := p.removeState()
	if removed && err == nil {
		told("removed " + p.StateDir)
	}
	return err
}

// forget deletes the group, or those of its offsets that the plan names.
func (c *cluster) forget(ctx context.Context, p *Plan, told func(string)) error {
	if p.Group {
		if err := c.deleteGroup(ctx); err != nil {
			return err
		}
		told(fmt.Sprintf("deleted the group %q with %d committed offsets", p.ApplicationID, len(p.Offsets)))
		return nil
	}
	which, n := kadm.TopicsSet{}, 0
	for _, o := range p.Offsets {
		if !o.Keep {
			which.Add(o.Topic, o.Partition)
			n++
		}
	}
	if n == 0 {
		return nil
	}
	err := retry(ctx, func() error {
		done, err := c.admin.DeleteOffsets(ctx, p.ApplicationID, which)
		if err != nil {
			return err
		}
		return done.Error()
	})
	if err != nil {
		return fmt.Errorf("delete committed offsets of group %q: %w", p.ApplicationID, err)
	}
	told(fmt.Sprintf("deleted %d committed offsets of the group %q", n, p.ApplicationID))
	return nil
}

func (c *cluster) deleteGroup(ctx context.Context) error {
	err := retry(ctx, func() error {
		r, err := c.admin.DeleteGroup(ctx, c.cfg.ApplicationID)
		if err != nil {
			return err
		}
		return withWords(r.Err, r.ErrMessage)
	})
	switch {
	case err == nil, errors.Is(err, kerr.GroupIDNotFound):
		return nil
	case errors.Is(err, kerr.NonEmptyGroup):
		if _, active := c.idle(ctx); active != nil {
			return active
		}
	}
	return fmt.Errorf("delete the group %q: %w", c.cfg.ApplicationID, err)
}

// deleteTopics deletes topics and waits until they are gone, so that an
// application that is started next does not meet their last moments.
func (c *cluster) deleteTopics(ctx context.Context, topics []string, told func(string)) error {
	done, err := c.admin.DeleteTopics(ctx, topics...)
	if err != nil {
		return fmt.Errorf("delete topics: %w", err)
	}
	var errs []error
	for _, topic := range topics {
		switch err := done[topic].Err; {
		case err == nil:
			told("deleted the topic " + topic)
		case !errors.Is(err, kerr.UnknownTopicOrPartition):
			errs = append(errs, fmt.Errorf("delete topic %q: %w", topic, withWords(err, done[topic].ErrMessage)))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	for {
		left, err := c.admin.ListTopics(ctx, topics...)
		if err == nil && !slices.ContainsFunc(topics, left.Has) {
			return nil
		}
		select {
		case <-ctx.Done():
			return errors.Join(fmt.Errorf("wait until the topics are gone: %w", ctx.Err()), err)
		case <-time.After(retryPause):
		}
	}
}
