package demo

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
)

const (
	// answerTimeout is how long a broker may take to answer the first request.
	answerTimeout = 5 * time.Second
	// coordinatorTimeout is how long the group's coordinator may take to come
	// up.
	coordinatorTimeout = 30 * time.Second
	// metadataAge bounds how long "no such topic" is believed: the topics are
	// created a moment after they were looked for.
	metadataAge = 10 * time.Millisecond
)

// A Cluster is the Kafka cluster of the demo: one that is there already, or a
// broker in this process that real connections lead to.
type Cluster struct {
	Brokers  []string
	embedded *kfake.Cluster // nil for a real one
	client   *kgo.Client
	admin    *kadm.Client
}

// openCluster starts a broker if none is given, and waits for an answer.
func openCluster(ctx context.Context, brokers []string) (*Cluster, error) {
	c := &Cluster{Brokers: brokers}
	if len(brokers) == 0 {
		embedded, err := kfake.NewCluster(kfake.NumBrokers(1))
		if err != nil {
			return nil, fmt.Errorf("start the embedded broker: %w", err)
		}
		c.embedded, c.Brokers = embedded, embedded.ListenAddrs()
	}
	if err := c.connect(ctx); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

func (c *Cluster) connect(ctx context.Context) (err error) {
	if c.client, err = kgo.NewClient(kgo.SeedBrokers(c.Brokers...), kgo.MetadataMinAge(metadataAge)); err != nil {
		return fmt.Errorf("--brokers: %w", err)
	}
	c.admin = kadm.NewClient(c.client)
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	if err := c.client.Ping(ctx); err != nil {
		return fmt.Errorf("no broker answers at %s: %w; start one there, or leave --brokers out to use the embedded one", c, err)
	}
	return nil
}

// String names the brokers.
func (c *Cluster) String() string { return strings.Join(c.Brokers, ",") }

// greeting says where the demo is going to happen.
func (c *Cluster) greeting() string {
	if c.embedded != nil {
		return "a broker inside this process listens on " + c.String()
	}
	return "topics created at " + c.String()
}

// Close ends the connections, and the embedded broker with all it holds.
func (c *Cluster) Close() {
	if c.client != nil {
		c.client.Close()
	}
	if c.embedded != nil {
		c.embedded.Close()
	}
}

// committed returns how many records the processor has committed. It waits for
// a coordinator: a new cluster makes one when it is first asked for.
func (c *Cluster) committed(ctx context.Context) (n int64, err error) {
	ctx, cancel := context.WithTimeout(ctx, coordinatorTimeout)
	defer cancel()
	offsets, err := c.admin.FetchOffsets(ctx, applicationID)
	for kerr.IsRetriable(err) && ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-time.After(watchInterval):
			offsets, err = c.admin.FetchOffsets(ctx, applicationID)
		}
	}
	if errors.Is(err, kerr.GroupIDNotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("look up the committed offsets at %s: %w", c, err)
	}
	for _, o := range offsets[accessTopic().Name] {
		n += max(o.At, 0)
	}
	return n, nil
}
