package demo

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/millrace/millrace/state"
)

const (
	partitions = 4
	// never is a retention.ms: event time lies years back, and a broker
	// deletes by event time.
	never = "-1"
)

// topics are what the demo reads and writes, the input first.
func topics() []string {
	return []string{accessTopic().Name, trafficTopic().Name, lateTopic().Name, deadTopic}
}

// createTopics creates the topics of the demo. It refuses a cluster that holds
// anything of an earlier run, for the results could not be told apart.
func (c *Cluster) createTopics(ctx context.Context) error {
	if err := errors.Join(c.refuseLeftovers(ctx), c.refuseOffsets(ctx)); err != nil {
		return err
	}
	forever := never
	created, err := c.admin.CreateTopics(ctx, partitions, -1, map[string]*string{"retention.ms": &forever}, topics()...)
	if err != nil {
		return fmt.Errorf("create topics at %s: %w", c, err)
	}
	for _, t := range created.Sorted() {
		if errors.Is(t.Err, kerr.TopicAlreadyExists) {
			t.Err, t.ErrMessage = c.adopt(ctx, t.Topic), ""
		}
		if t.Err != nil {
			return fmt.Errorf("create topic %q at %s: %w", t.Topic, c, &kadm.ErrAndMessage{Err: t.Err, ErrMessage: t.ErrMessage})
		}
	}
	return nil
}

// adopt makes an empty topic that is there already fit for the demo.
func (c *Cluster) adopt(ctx context.Context, topic string) error {
	listed, err := c.admin.ListTopics(ctx, topic)
	if err != nil {
		return err
	}
	if n := len(listed[topic].Partitions); n != partitions {
		return fmt.Errorf("it exists with %d partitions and the demo needs %d: delete it", n, partitions)
	}
	forever := never
	altered, err := c.admin.AlterTopicConfigs(ctx, []kadm.AlterConfig{{Op: kadm.SetConfig, Name: "retention.ms", Value: &forever}}, topic)
	if err != nil {
		return err
	}
	done, err := altered.On(topic, nil)
	if err != nil {
		return &kadm.ErrAndMessage{Err: err, ErrMessage: done.ErrMessage}
	}
	return nil
}

func (c *Cluster) refuseLeftovers(ctx context.Context) error {
	mine := append(topics(), state.ChangelogTopic(applicationID, trafficStore))
	listed, err := c.admin.ListTopics(ctx, mine...)
	if err != nil {
		return fmt.Errorf("look for topics of the demo at %s: %w", c, err)
	}
	mine = slices.DeleteFunc(mine, func(topic string) bool { return !listed.Has(topic) })
	if len(mine) == 0 {
		return nil
	}
	ends, err := c.admin.ListEndOffsets(ctx, mine...)
	if err != nil {
		return fmt.Errorf("look into the topics of the demo at %s: %w", c, err)
	}
	var filled []string
	for _, topic := range mine {
		for _, end := range ends[topic] {
			if end.Err == nil && end.Offset > 0 {
				filled = append(filled, topic)
				break
			}
		}
	}
	if len(filled) > 0 {
		return fmt.Errorf("%s holds records of another run in %s; delete them first:\n  kafka-topics.sh --bootstrap-server %s --delete --topic '%s'",
			c, strings.Join(filled, ", "), c, strings.ReplaceAll(strings.Join(filled, "|"), ".", `\.`))
	}
	return nil
}

// refuseOffsets refuses a cluster on which the processor has committed already.
func (c *Cluster) refuseOffsets(ctx context.Context) error {
	n, err := c.committed(ctx)
	if err == nil && n > 0 {
		err = fmt.Errorf("%s holds offsets of another run; delete them first:\n  kafka-consumer-groups.sh --bootstrap-server %s --delete --group %s",
			c, c, applicationID)
	}
	return err
}
