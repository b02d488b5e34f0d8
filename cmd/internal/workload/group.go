package workload

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
)

// Partitions counts the partitions of a topic, which must exist.
func (c Cluster) Partitions(ctx context.Context, topic string) (int, error) {
	cl, err := c.Client()
	if err != nil {
		return 0, err
	}
	defer cl.Close()
	topics, err := kadm.NewClient(cl).ListTopics(ctx, topic)
	if err == nil {
		err = topics[topic].Err
	}
	if err != nil {
		return 0, fmt.Errorf("workload: describing topic %s: %w", topic, err)
	}
	return len(topics[topic].Partitions), nil
}

// DeleteGroup deletes a consumer group with its offsets; one that does not exist
// is no error.
func (c Cluster) DeleteGroup(ctx context.Context, group string) error {
	cl, err := c.Client()
	if err != nil {
		return err
	}
	defer cl.Close()
	adm := kadm.NewClient(cl)
	for deadline := time.Now().Add(settleTimeout); ; {
		_, err := adm.DeleteGroup(ctx, group)
		switch {
		case err == nil, errors.Is(err, kerr.GroupIDNotFound):
			return nil
		case !kerr.IsRetriable(err) || time.Now().After(deadline): // a new cluster has no coordinators yet
			return fmt.Errorf("workload: deleting group %s: %w", group, err)
		}
		if err := pause(ctx, settleInterval); err != nil {
			return err
		}
	}
}
