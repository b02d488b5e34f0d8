package workload

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

const (
	// settleTimeout bounds how long a created or deleted topic may take to be so
	// everywhere.
	settleTimeout = 30 * time.Second
	// settleInterval is the pause between two looks.
	settleInterval = 50 * time.Millisecond
)

// Cluster is a Kafka cluster of one broker, given by the options that every client
// of it needs (kgo.SeedBrokers at least). Each call opens its own clients, so any
// number of goroutines may use it.
type Cluster struct {
	Options []kgo.Opt
}

// Client opens a client of the cluster with further options; the caller closes it.
func (c Cluster) Client(opts ...kgo.Opt) (*kgo.Client, error) {
	// Topics are fresh here: a client that has just missed a leader must not wait
	// the usual seconds before it looks again.
	cl, err := kgo.NewClient(slices.Concat([]kgo.Opt{kgo.MetadataMinAge(settleInterval)}, c.Options, opts)...)
	if err != nil {
		return nil, fmt.Errorf("workload: client options: %w", err)
	}
	return cl, nil
}

// topicConfigs make a topic indifferent to event time: by default a broker
// deletes segments whose newest record timestamp is older than retention.ms (7
// days) and rejects records more than an hour ahead of its clock, and the
// contract's event times are fixed.
func topicConfigs() map[string]*string {
	never, anyTime := "-1", "9223372036854775807"
	return map[string]*string{
		"retention.ms":                   &never,
		"retention.bytes":                &never,
		"message.timestamp.after.max.ms": &anyTime,
	}
}

// CreateTopic creates a topic that keeps records of any event time; with recreate
// it deletes an existing one first, and returns when the new one can be used. It
// reports whether the topic existed and was left alone.
func (c Cluster) CreateTopic(ctx context.Context, topic string, partitions int, recreate bool) (existed bool, err error) {
	if recreate {
		if err := c.DeleteTopic(ctx, topic); err != nil {
			return false, err
		}
	}
	cl, err := c.Client()
	if err != nil {
		return false, err
	}
	defer cl.Close()
	adm := kadm.NewClient(cl)
	for deadline := time.Now().Add(settleTimeout); ; {
		_, err := adm.CreateTopic(ctx, int32(partitions), 1, topicConfigs(), topic)
		switch {
		case err == nil:
			return false, settled(ctx, adm, topic)
		case !errors.Is(err, kerr.TopicAlreadyExists):
			return false, fmt.Errorf("workload: creating topic %s: %w", topic, err)
		case !recreate:
			return true, nil
		case time.Now().After(deadline): // the deletion is asynchronous
			return false, fmt.Errorf("workload: topic %s is still being deleted after %v", topic, settleTimeout)
		}
		if err := pause(ctx, settleInterval); err != nil {
			return false, err
		}
	}
}

// DeleteTopic deletes a topic; one that does not exist is no error. The broker may
// take a moment longer than the call.
func (c Cluster) DeleteTopic(ctx context.Context, topic string) error {
	cl, err := c.Client()
	if err != nil {
		return err
	}
	defer cl.Close()
	_, err = kadm.NewClient(cl).DeleteTopic(ctx, topic)
	if err != nil && !errors.Is(err, kerr.UnknownTopicOrPartition) {
		return fmt.Errorf("workload: deleting topic %s: %w", topic, err)
	}
	return nil
}

// describe returns the topic's id and the broker that leads its partitions, once
// all have a leader. The loader is made for one broker; several leaders are an
// error.
func describe(ctx context.Context, adm *kadm.Client, topic string) (id kadm.TopicID, leader int32, err error) {
	for deadline := time.Now().Add(settleTimeout); ; {
		d, err := adm.ListTopics(ctx, topic)
		if err != nil {
			return id, 0, fmt.Errorf("workload: describing topic %s: %w", topic, err)
		}
		leader, err := leaderOf(d[topic])
		if err == nil {
			return d[topic].ID, leader, nil
		}
		if time.Now().After(deadline) {
			return id, 0, fmt.Errorf("workload: topic %s: %w", topic, err)
		}
		if err := pause(ctx, settleInterval); err != nil {
			return id, 0, err
		}
	}
}

func leaderOf(t kadm.TopicDetail) (int32, error) {
	leader := int32(-1)
	for _, p := range t.Partitions {
		switch {
		case p.Err != nil:
			return 0, fmt.Errorf("partition %d: %w", p.Partition, p.Err)
		case leader >= 0 && p.Leader != leader:
			return 0, errors.New("its partitions are led by several brokers")
		}
		leader = p.Leader
	}
	if t.Err == nil && leader < 0 {
		return 0, errors.New("no leader yet")
	}
	return leader, t.Err
}

// offsets returns the topic's start and end offsets per partition; end is the
// last stable offset if committed is set.
func offsets(ctx context.Context, adm *kadm.Client, topic string, committed bool) (start, end []int64, err error) {
	s, err := adm.ListStartOffsets(ctx, topic)
	if err = errors.Join(err, s.Error()); err != nil {
		return nil, nil, fmt.Errorf("workload: start offsets of topic %s: %w", topic, err)
	}
	list := adm.ListEndOffsets
	if committed {
		list = adm.ListCommittedOffsets
	}
	e, err := list(ctx, topic)
	if err = errors.Join(err, e.Error()); err != nil {
		return nil, nil, fmt.Errorf("workload: end offsets of topic %s: %w", topic, err)
	}
	start, end = make([]int64, len(s[topic])), make([]int64, len(s[topic]))
	for p := range start {
		start[p], end[p] = s[topic][int32(p)].Offset, e[topic][int32(p)].Offset
	}
	return start, end, nil
}

func sum(v []int64) (n int64) {
	for _, x := range v {
		n += x
	}
	return n
}

// pause waits, but not beyond the end of ctx.
func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(d):
		return nil
	}
}
