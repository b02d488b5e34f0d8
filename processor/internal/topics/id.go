package topics

import (
	"context"
	"fmt"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// IDOf asks for the id of a topic that this version may not know; zero where the
// brokers are so old that topics have none.
func IDOf(ctx context.Context, client *kgo.Client, topic string) ([16]byte, error) {
	topics, err := kadm.NewClient(client).ListTopics(ctx, topic)
	if err != nil {
		return [16]byte{}, fmt.Errorf("ask for topic %q: %w", topic, err)
	}
	return topics[topic].ID, topics[topic].Err
}
