package topics

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/millrace/millrace/processor/internal/broker"
	"github.com/millrace/millrace/state"
)

// provideChangelogs creates the changelogs that are missing and verifies the
// others.
//
// A broker deletes by record timestamp, and a replay writes records of any age,
// so nothing in a changelog may ever be deleted by time: key-value stores are
// compacted only; window stores may be cut off by request too, hence "delete",
// with no retention.
func (s *clusterCheck) provideChangelogs(ctx context.Context) error {
	for i, sub := range s.cfg.Graph.Subtopologies() {
		for _, store := range sub.Stores {
			topic := store.ChangelogTopic(s.cfg.ApplicationID)
			if err := s.provide(ctx, topic, store.Kind, s.Layout.Partitions[i]); err != nil {
				return fmt.Errorf("changelog of store %q: %w", store.Name, err)
			}
		}
	}
	return nil
}

func (s *clusterCheck) provide(ctx context.Context, topic string, kind state.Kind, partitions int32) error {
	if err := s.provideTopic(ctx, topic, partitions, cleanupPolicy(kind)); err != nil {
		return err
	}
	return s.verify(ctx, topic, kind)
}

// provideTopic creates an internal topic if it is missing.
func (s *clusterCheck) provideTopic(ctx context.Context, topic string, partitions int32, cleanup string) error {
	missing, err := s.describe(ctx, []string{topic})
	for err == nil && len(missing) > 0 {
		err = s.create(ctx, topic, cleanup, partitions)
		if err == nil {
			missing, err = s.describe(ctx, []string{topic})
		}
		if len(missing) > 0 && !broker.Sleep(ctx, broker.FirstPause) {
			err = errors.Join(err, ctx.Err())
		}
	}
	if err != nil {
		return err
	}
	if n := s.partitions[topic]; n != partitions {
		return fmt.Errorf("topic %q has %d partitions, its tasks need %d: the number of partitions of its sources, or that asked for by stream.Partitions, has changed, and with it the place of every key: %w", topic, n, partitions, broker.ErrReset)
	}
	return nil
}

func cleanupPolicy(kind state.Kind) string {
	if kind == state.Window {
		return "compact,delete"
	}
	return "compact"
}

// create makes an internal topic. Brokers that do not know the limits of
// timestamps have none, and get them left out.
func (s *clusterCheck) create(ctx context.Context, topic, cleanup string, partitions int32) error {
	configs := internalSettings(cleanup)
	return broker.Retry(ctx, s.cfg.Warn, func(ctx context.Context) error {
		err := s.createOnce(ctx, topic, configs, partitions)
		if errors.Is(err, kerr.InvalidConfig) && configs[configTimestampAfter] != nil {
			delete(configs, configTimestampAfter)
			delete(configs, configTimestampBefore)
			err = s.createOnce(ctx, topic, configs, partitions)
		}
		if err != nil && !errors.Is(err, kerr.TopicAlreadyExists) { // another worker was faster
			return fmt.Errorf("create topic %q: %w", topic, err)
		}
		return nil
	})
}

func (s *clusterCheck) createOnce(ctx context.Context, topic string, configs map[string]*string, partitions int32) error {
	r, err := s.admin.CreateTopic(ctx, partitions, clusterReplication, configs, topic)
	return withWords(err, r.ErrMessage)
}

// verify reads the settings of a changelog. Settings under which the broker
// would delete state are an error.
func (s *clusterCheck) verify(ctx context.Context, topic string, kind state.Kind) error {
	settings, err := s.settings(ctx, topic)
	if err != nil {
		return err
	}
	s.deleteRetention[topic] = defaultDeleteRetention
	if ms, err := strconv.ParseInt(settings[configDeleteRetention], 10, 64); err == nil {
		s.deleteRetention[topic] = time.Duration(ms) * time.Millisecond
	}
	s.setBatch(topic, settings)
	policy := strings.Split(settings[configCleanup], ",")
	fix := fmt.Sprintf("set %s=%s, %s=-1 and %s=-1 with `kafka-configs.sh --alter`", configCleanup, cleanupPolicy(kind), configRetention, configRetentionBytes)
	if settings[configCleanup] == "" { // the broker does not say
		return nil
	}
	if !slices.Contains(policy, "compact") {
		return fmt.Errorf("topic %q has %s=%s, so the broker deletes state that is still needed; %s", topic, configCleanup, settings[configCleanup], fix)
	}
	for _, name := range []string{configRetention, configRetentionBytes} {
		if v := settings[name]; slices.Contains(policy, "delete") && v != "-1" && v != "" {
			return fmt.Errorf("topic %q has %s=%s, so the broker deletes state, by event time or size; %s", topic, name, v, fix)
		}
	}
	return nil
}
