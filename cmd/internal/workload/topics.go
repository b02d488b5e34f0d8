package workload

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
)

// Range returns the start offset of each partition of a topic, and the offset up to which
// it is committed at this moment.
func (c Cluster) Range(ctx context.Context, topic string) (start, end []int64, err error) {
	cl, err := c.Client()
	if err != nil {
		return nil, nil, err
	}
	defer cl.Close()
	return offsets(ctx, kadm.NewClient(cl), topic, true)
}

// TopicID returns the id of a topic, once all of its partitions have a leader.
func (c Cluster) TopicID(ctx context.Context, topic string) (id [16]byte, err error) {
	cl, err := c.Client()
	if err != nil {
		return id, err
	}
	defer cl.Close()
	id, _, err = describe(ctx, kadm.NewClient(cl), topic)
	return id, err
}

// DeleteTopics deletes the topics whose names match, and returns when none of them is
// listed any more.
func (c Cluster) DeleteTopics(ctx context.Context, match func(topic string) bool) error {
	cl, err := c.Client()
	if err != nil {
		return err
	}
	defer cl.Close()
	adm := kadm.NewClient(cl)
	for deadline := time.Now().Add(settleTimeout); ; {
		listed, err := adm.ListTopics(ctx)
		if err != nil {
			return fmt.Errorf("workload: listing topics: %w", err)
		}
		names := slices.DeleteFunc(listed.Names(), func(name string) bool { return !match(name) })
		if len(names) == 0 {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("workload: topics %q are still being deleted after %v", names, settleTimeout)
		}
		deleted, err := adm.DeleteTopics(ctx, names...)
		if err = errors.Join(err, deleted.Error()); err != nil && !errors.Is(err, kerr.UnknownTopicOrPartition) {
			return fmt.Errorf("workload: deleting topics %q: %w", names, err)
		}
		if err := pause(ctx, settleInterval); err != nil {
			return err
		}
	}
}

// settled returns when every partition of a new topic answers: its creation is
// acknowledged before it has leaders.
func settled(ctx context.Context, adm *kadm.Client, topic string) error {
	for deadline := time.Now().Add(settleTimeout); ; {
		_, _, err := offsets(ctx, adm, topic, false)
		if err == nil || time.Now().After(deadline) {
			return err
		}
		if err := pause(ctx, settleInterval); err != nil {
			return err
		}
	}
}
