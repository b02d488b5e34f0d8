package worker

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/millrace/millrace/state"
)

const (
	configCleanup         = "cleanup.policy"
	configRetention       = "retention.ms"
	configRetentionBytes  = "retention.bytes"
	configDeleteRetention = "delete.retention.ms"
	configTimestampType   = "message.timestamp.type"
	configTimestampAfter  = "message.timestamp.after.max.ms"
	configTimestampBefore = "message.timestamp.before.max.ms"
	configTimestampApart  = "message.timestamp.difference.max.ms" // of brokers before 3.6
	configMaxBytes        = "max.message.bytes"

	// createTime leaves records the timestamp they were sent with.
	createTime = "CreateTime"
	// defaultDeleteRetention is the broker's own default.
	defaultDeleteRetention = 24 * time.Hour
	// clusterReplication leaves the replication factor to the broker.
	clusterReplication = -1
)

// provideChangelogs creates the changelogs that are missing and verifies the
// others.
//
// A broker deletes by record timestamp, and a replay writes records of any age,
// so nothing in a changelog may ever be deleted by time: key-value stores are
// compacted only; window stores may be cut off by request too, hence "delete",
// with no retention.
func (s *survey) provideChangelogs(ctx context.Context) error {
	for i, sub := range s.cfg.Graph.Subtopologies() {
		for _, store := range sub.Stores {
			topic := store.ChangelogTopic(s.cfg.ApplicationID)
			if err := s.provide(ctx, topic, store.Kind, s.layout.partitions[i]); err != nil {
				return fmt.Errorf("changelog of store %q: %w", store.Name, err)
			}
		}
	}
	return nil
}

func (s *survey) provide(ctx context.Context, topic string, kind state.Kind, partitions int32) error {
	if err := s.provideTopic(ctx, topic, partitions, cleanupPolicy(kind)); err != nil {
		return err
	}
	return s.verify(ctx, topic, kind)
}

// provideTopic creates an internal topic if it is missing.
func (s *survey) provideTopic(ctx context.Context, topic string, partitions int32, cleanup string) error {
	missing, err := s.describe(ctx, []string{topic})
	for err == nil && len(missing) > 0 {
		err = s.create(ctx, topic, cleanup, partitions)
		if err == nil {
			missing, err = s.describe(ctx, []string{topic})
		}
		if len(missing) > 0 && !Sleep(ctx, firstPause) {
			err = errors.Join(err, ctx.Err())
		}
	}
	if err != nil {
		return err
	}
	if n := s.partitions[topic]; n != partitions {
		return fmt.Errorf("topic %q has %d partitions, its tasks need %d: the number of partitions of its sources, or that asked for by stream.Partitions, has changed, and with it the place of every key: %w", topic, n, partitions, ErrReset)
	}
	return nil
}

func cleanupPolicy(kind state.Kind) string {
	if kind == state.Window {
		return "compact,delete"
	}
	return "compact"
}

// internalSettings are those of an internal topic. The timestamps are event
// times: whatever the brokers do by default, they must not replace them by their
// own time, nor refuse those that are far from it.
func internalSettings(cleanup string) map[string]*string {
	text := func(v string) *string { return &v }
	return map[string]*string{
		configCleanup:         text(cleanup),
		configRetention:       text("-1"),
		configRetentionBytes:  text("-1"),
		configTimestampType:   text(createTime),
		configTimestampAfter:  text("9223372036854775807"),
		configTimestampBefore: text("9223372036854775807"),
	}
}

// create makes an internal topic. Brokers that do not know the limits of
// timestamps have none, and get them left out.
func (s *survey) create(ctx context.Context, topic, cleanup string, partitions int32) error {
	configs := internalSettings(cleanup)
	return retry(ctx, s.cfg.Events.warning, func(ctx context.Context) error {
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

func (s *survey) createOnce(ctx context.Context, topic string, configs map[string]*string, partitions int32) error {
	r, err := s.admin.CreateTopic(ctx, partitions, clusterReplication, configs, topic)
	return withWords(err, r.ErrMessage)
}

// withWords adds to an error what the broker says beside its code, such as which
// topic a name collides with, or which policy refuses it.
func withWords(err error, words string) error {
	if err == nil || words == "" {
		return err
	}
	return &kadm.ErrAndMessage{Err: err, ErrMessage: words}
}

// verify reads the settings of a changelog. Settings under which the broker
// would delete state are an error.
func (s *survey) verify(ctx context.Context, topic string, kind state.Kind) error {
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

// readLimits learns what the topics take that are written to. Who may not read
// their settings gets the client's defaults.
func (s *survey) readLimits(ctx context.Context) error {
	for _, topic := range s.cfg.Graph.SinkTopics() {
		settings, err := s.settings(ctx, topic)
		if err != nil && !permanent(err) {
			return err
		}
		s.limits.set(topic, settings)
	}
	return nil
}

func (s *survey) settings(ctx context.Context, topic string) (map[string]string, error) {
	var settings map[string]map[string]string
	err := retry(ctx, nil, func(ctx context.Context) (err error) {
		settings, err = topicSettings(ctx, s.admin, topic)
		return err
	})
	return settings[topic], err
}

// topicSettings asks for the settings of topics.
func topicSettings(ctx context.Context, admin *kadm.Client, topics ...string) (map[string]map[string]string, error) {
	configs, err := admin.DescribeTopicConfigs(ctx, topics...)
	if err != nil {
		return nil, fmt.Errorf("read the settings of the topics %s: %w", strings.Join(quoteAll(topics), ", "), err)
	}
	all, errs := map[string]map[string]string{}, []error(nil)
	for _, r := range configs {
		if r.Err != nil {
			errs = append(errs, fmt.Errorf("read the settings of topic %q: %w", r.Name, withWords(r.Err, r.ErrMessage)))
			continue
		}
		all[r.Name] = map[string]string{}
		for _, c := range r.Configs {
			if c.Value != nil {
				all[r.Name][c.Key] = *c.Value
			}
		}
	}
	return all, errors.Join(errs...)
}
