package worker

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/millrace/millrace/processor/internal/broker"
	"github.com/millrace/millrace/processor/internal/graph"
	"github.com/millrace/millrace/processor/internal/group"
)

// How long a start waits for the brokers, and how often it looks again for a
// topic that may only just have been created.
const (
	startTimeout     = 60 * time.Second
	missingTries     = 5
	missingPause     = 200 * time.Millisecond
	wantTransactions = 2 // transaction.version
)

// A catalog is what the worker learned about the cluster when it started. It is
// not changed afterwards and may be read by any goroutine, but for what topics
// take: see limits.
type catalog struct {
	partitions map[string]int32    // of sources, sinks and changelogs
	ids        map[string][16]byte // of the same topics
	// deleteRetention is how long a changelog keeps tombstones.
	deleteRetention map[string]time.Duration
	limits
	layout group.Layout
	// stepped says that transaction.version is below 2.
	stepped bool
}

// A survey makes a catalog.
type survey struct {
	cfg    *Config
	client *kgo.Client
	admin  *kadm.Client
	*catalog
}

// lookAround checks that the brokers answer and that everything the application
// needs is there, and makes its changelogs.
func lookAround(ctx context.Context, cfg *Config, client *kgo.Client) (*catalog, error) {
	s := &survey{cfg, client, kadm.NewClient(client), &catalog{
		partitions: map[string]int32{}, ids: map[string][16]byte{}, deleteRetention: map[string]time.Duration{}, limits: newLimits(),
	}}
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	for _, step := range []func(context.Context) error{s.reach, s.readTopics, s.provideRepartitions, s.copartition, s.provideChangelogs, s.readLimits} {
		if err := step(ctx); err != nil {
			return nil, err
		}
	}
	return s.catalog, nil
}

// reach waits for a broker and reads the version of its transactions.
func (s *survey) reach(ctx context.Context) error {
	var resp *kmsg.ApiVersionsResponse
	err := broker.Retry(ctx, s.cfg.Events.warning, func(ctx context.Context) (err error) {
		req := kmsg.NewPtrApiVersionsRequest()
		req.ClientSoftwareName, req.ClientSoftwareVersion = "millrace", "0"
		resp, err = req.RequestWith(ctx, s.client)
		return err
	})
	if err != nil {
		return fmt.Errorf("no broker answers; check the addresses and the network: %w", err)
	}
	version := int16(0)
	for _, f := range resp.FinalizedFeatures {
		if f.Name == "transaction.version" {
			version = f.MaxVersionLevel
		}
	}
	if s.stepped = version < wantTransactions; s.stepped && s.cfg.Guarantee == ExactlyOnce {
		s.cfg.Events.warning(fmt.Errorf("the cluster runs transaction.version %d: below %d a delayed message of an old transaction can end up in a later one, so exactly-once has gaps that no client can close; upgrade with `kafka-features.sh upgrade --feature transaction.version=2` (Kafka 4.0 and later)", version, wantTransactions))
	}
	return nil
}

// readTopics finds the source and sink topics.
func (s *survey) readTopics(ctx context.Context) error {
	want := slices.Concat(s.cfg.Graph.SourceTopics(), s.cfg.Graph.SinkTopics())
	for _, r := range s.cfg.Graph.Repartitions() { // ours to create
		want = slices.DeleteFunc(want, func(topic string) bool { return topic == r.Topic })
	}
	slices.Sort(want)
	want = slices.Compact(want)
	for try := 1; ; try++ {
		missing, err := s.describe(ctx, want)
		if err != nil {
			return err
		}
		if len(missing) == 0 {
			return nil
		}
		if try == missingTries || !broker.Sleep(ctx, missingPause) {
			return fmt.Errorf("missing topics: %s; create them before the start (Millrace creates internal topics only)", strings.Join(quoteAll(missing), ", "))
		}
	}
}

func quoteAll(names []string) []string {
	out := make([]string, len(names))
	for i, n := range names {
		out[i] = fmt.Sprintf("%q", n)
	}
	return out
}

// describe takes the topics into the catalog and returns those that do not
// exist.
func (s *survey) describe(ctx context.Context, topics []string) (missing []string, err error) {
	var details kadm.TopicDetails
	err = broker.Retry(ctx, nil, func(ctx context.Context) (err error) {
		details, err = s.admin.ListTopics(ctx, topics...)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("ask for the topics %s: %w", strings.Join(quoteAll(topics), ", "), err)
	}
	for _, topic := range topics {
		d, ok := details[topic]
		switch {
		case !ok, errors.Is(d.Err, kerr.UnknownTopicOrPartition), len(d.Partitions) == 0 && d.Err == nil:
			missing = append(missing, topic)
		case broker.Permanent(d.Err):
			return nil, fmt.Errorf("topic %q: %w", topic, d.Err)
		case d.Err != nil:
			missing = append(missing, topic)
		default:
			s.partitions[topic], s.ids[topic] = int32(len(d.Partitions)), d.ID
		}
	}
	return missing, nil
}

// copartition checks that the sources of each sub-topology can be joined by
// partition number.
func (s *survey) copartition(context.Context) error {
	var errs []error
	for _, sub := range s.cfg.Graph.Subtopologies() {
		n := s.partitions[sub.Sources[0]]
		for _, topic := range sub.Sources[1:] {
			if s.partitions[topic] != n {
				errs = append(errs, fmt.Errorf("topics %q (%d partitions) and %q (%d partitions) are read together by sub-topology %d and must have the same number of partitions; repartition one of them", sub.Sources[0], n, topic, s.partitions[topic], sub.ID))
			}
		}
		s.layout.Sources = append(s.layout.Sources, sub.Sources)
		s.layout.Partitions = append(s.layout.Partitions, n)
		s.layout.Stores = append(s.layout.Stores, storeNames(sub))
	}
	return errors.Join(errs...)
}

// storeNames lists the stores of a sub-topology, sorted.
func storeNames(sub *graph.Subtopology) (names []string) {
	for _, store := range sub.Stores {
		names = append(names, store.Name)
	}
	slices.Sort(names)
	return names
}

// sinkPartitions are the partition counts a task needs.
func (c *catalog) sinkPartitions(g *graph.Topology) map[string]int32 {
	out := map[string]int32{}
	for _, topic := range g.SinkTopics() {
		out[topic] = c.partitions[topic]
	}
	return out
}

// topicID is a topic id as text; empty where the brokers are so old that topics
// have none.
func (c *catalog) topicID(topic string) string {
	if id := c.ids[topic]; id != ([16]byte{}) {
		return fmt.Sprintf("%x", id)
	}
	return ""
}

// another reports whether a topic is another one than that of an id: nothing is
// known of that where one of the ids is not.
func (c *catalog) another(topic, id string) bool {
	is := c.topicID(topic)
	return is != "" && id != "" && is != id
}
