package topics

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
)

// A Config says what an application asks of a cluster.
type Config struct {
	ApplicationID string // the prefix of internal topics
	Graph         *graph.Topology
	ExactlyOnce   bool
	// Warn is told what an operator should know, and of failures that are tried again.
	// It is required, and called on the goroutine that asks.
	Warn func(error)
}

// A clusterCheck makes a Catalog.
type clusterCheck struct {
	cfg    Config
	client *kgo.Client
	admin  *kadm.Client
	*Catalog
}

// Check waits for the brokers and looks whether everything that the application
// needs is there. It makes the internal topics that are missing. It is safe to
// call from several workers at once.
func Check(ctx context.Context, cfg Config, client *kgo.Client) (*Catalog, error) {
	s := &clusterCheck{cfg, client, kadm.NewClient(client), &Catalog{
		partitions: map[string]int32{}, IDs: map[string][16]byte{}, deleteRetention: map[string]time.Duration{}, limits: newLimits(),
	}}
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	for _, step := range []func(context.Context) error{s.awaitBroker, s.readTopics, s.provideRepartitions, s.copartition, s.provideChangelogs, s.readLimits} {
		if err := step(ctx); err != nil {
			return nil, err
		}
	}
	return s.Catalog, nil
}

// awaitBroker waits for a broker and reads the version of its transactions.
func (s *clusterCheck) awaitBroker(ctx context.Context) error {
	var resp *kmsg.ApiVersionsResponse
	err := broker.Retry(ctx, s.cfg.Warn, func(ctx context.Context) (err error) {
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
	if s.Stepped = version < wantTransactions; s.Stepped && s.cfg.ExactlyOnce {
		s.cfg.Warn(fmt.Errorf("the cluster runs transaction.version %d: below %d a delayed message of an old transaction can end up in a later one, so exactly-once has gaps that no client can close; upgrade with `kafka-features.sh upgrade --feature transaction.version=2` (Kafka 4.0 and later)", version, wantTransactions))
	}
	return nil
}

// readTopics finds the source and sink topics.
func (s *clusterCheck) readTopics(ctx context.Context) error {
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

// describe takes the topics into the catalog and returns those that do not
// exist.
func (s *clusterCheck) describe(ctx context.Context, topics []string) (missing []string, err error) {
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
			s.partitions[topic], s.IDs[topic] = int32(len(d.Partitions)), d.ID
		}
	}
	return missing, nil
}

// copartition checks that the sources of each sub-topology can be joined by
// partition number.
func (s *clusterCheck) copartition(context.Context) error {
	var errs []error
	for _, sub := range s.cfg.Graph.Subtopologies() {
		n := s.partitions[sub.Sources[0]]
		for _, topic := range sub.Sources[1:] {
			if s.partitions[topic] != n {
				errs = append(errs, fmt.Errorf("topics %q (%d partitions) and %q (%d partitions) are read together by sub-topology %d and must have the same number of partitions; repartition one of them", sub.Sources[0], n, topic, s.partitions[topic], sub.ID))
			}
		}
		s.Layout.Sources = append(s.Layout.Sources, sub.Sources)
		s.Layout.Partitions = append(s.Layout.Partitions, n)
		s.Layout.Stores = append(s.Layout.Stores, storeNames(sub))
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

func quoteAll(names []string) []string {
	out := make([]string, len(names))
	for i, n := range names {
		out[i] = fmt.Sprintf("%q", n)
	}
	return out
}
