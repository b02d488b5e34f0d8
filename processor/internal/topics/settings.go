package topics

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/millrace/millrace/processor/internal/broker"
)

// The settings that matter, by their names.
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

// withWords adds to an error what the broker says beside its code, such as which
// topic a name collides with, or which policy refuses it.
func withWords(err error, words string) error {
	if err == nil || words == "" {
		return err
	}
	return &kadm.ErrAndMessage{Err: err, ErrMessage: words}
}

func (s *clusterCheck) settings(ctx context.Context, topic string) (map[string]string, error) {
	var settings map[string]map[string]string
	err := broker.Retry(ctx, nil, func(ctx context.Context) (err error) {
		settings, err = Settings(ctx, s.admin, topic)
		return err
	})
	return settings[topic], err
}

// Settings asks for the settings of topics, by topic and name. Beside an error it
// returns those that were told.
func Settings(ctx context.Context, admin *kadm.Client, topics ...string) (map[string]map[string]string, error) {
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
