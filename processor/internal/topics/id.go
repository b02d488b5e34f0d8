package topics

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/millrace/millrace/processor/internal/broker"
)

// IDOf asks for the id of a topic that this version may not know; zero where the
// brokers are so old that topics have none.
func IDOf(ctx context.Context, client *kgo.Client, topic string) ([16]byte, error) {
	is, err := list(ctx, client, topic)
	return is.ID, err
}

// LeaderOf asks for the id of a topic and the broker that leads one of its partitions;
// -1 while none does.
func LeaderOf(ctx context.Context, client *kgo.Client, tp broker.TopicPartition) (id [16]byte, leader int32, err error) {
	is, err := list(ctx, client, tp.Topic)
	if p, ok := is.Partitions[tp.Partition]; ok {
		return is.ID, p.Leader, err
	}
	return is.ID, -1, err
}

func list(ctx context.Context, client *kgo.Client, topic string) (kadm.TopicDetail, error) {
	topics, err := kadm.NewClient(client).ListTopics(ctx, topic)
	if err != nil {
		return kadm.TopicDetail{}, fmt.Errorf("ask for topic %q: %w", topic, err)
	}
	return topics[topic], topics[topic].Err
}

// MayBeCompacted reports whether records may be gone from the middle of a topic: its
// settings say that it is compacted, or may not be read.
func MayBeCompacted(ctx context.Context, client *kgo.Client, topic string) bool {
	settings, err := Settings(ctx, kadm.NewClient(client), topic)
	return err != nil || compacted(settings[topic])
}

func compacted(settings map[string]string) bool {
	return slices.Contains(strings.Split(settings[configCleanup], ","), "compact")
}
