package demo

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/millrace/millrace/schemaregistry/serde"
)

// A windowRow is one record of web.traffic.5m as --output json shows it.
type windowRow struct {
	Topic       string  `json:"topic"`
	Partition   int32   `json:"partition"`
	Key         string  `json:"key"`
	WindowStart int64   `json:"window_start"` // ms since epoch
	WindowEnd   int64   `json:"window_end"`
	Value       Traffic `json:"value"`
}

// A recordRow is one record of the other topics.
type recordRow struct {
	Topic     string            `json:"topic"`
	Partition int32             `json:"partition"`
	Key       *string           `json:"key"`       // null for a null key
	Timestamp int64             `json:"timestamp"` // ms since epoch
	Headers   map[string]string `json:"headers"`
	Value     any               `json:"value"`
}

// An outlet is told of every committed output record, topic by topic.
type outlet struct {
	window func(windowRow) error
	late   func(recordRow) error
	dead   func(recordRow) error
}

// readOutput shows all three output topics to o.
func (c *Cluster) readOutput(ctx context.Context, o outlet) error {
	traffic := trafficTopic()
	keys, err := traffic.Key.Bind(serde.Use{Role: serde.Key, Name: traffic.Name})
	if err != nil {
		return err
	}
	values, err := traffic.Value.Bind(serde.Use{Role: serde.Value, Name: traffic.Name})
	if err != nil {
		return err
	}
	err = c.read(ctx, traffic.Name, func(r *kgo.Record) error {
		key, err := keys.Decode(r.Key)
		if err != nil {
			return err
		}
		value, err := values.Decode(r.Value)
		if err != nil {
			return err
		}
		return o.window(windowRow{
			Topic: r.Topic, Partition: r.Partition, Key: key.Key,
			WindowStart: int64(key.Window.Start), WindowEnd: int64(key.Window.End), Value: value,
		})
	})
	if err != nil {
		return err
	}
	err = c.read(ctx, lateTopic().Name, func(r *kgo.Record) error {
		if !json.Valid(r.Value) {
			return fmt.Errorf("the value is no JSON: %.40q", r.Value)
		}
		return o.late(row(r, json.RawMessage(r.Value)))
	})
	if err != nil {
		return err
	}
	return c.read(ctx, deadTopic, func(r *kgo.Record) error { return o.dead(row(r, string(r.Value))) })
}

func row(r *kgo.Record, value any) recordRow {
	out := recordRow{
		Topic: r.Topic, Partition: r.Partition, Timestamp: r.Timestamp.UnixMilli(),
		Headers: make(map[string]string, len(r.Headers)), Value: value,
	}
	if r.Key != nil {
		key := string(r.Key)
		out.Key = &key
	}
	for _, h := range r.Headers {
		out.Headers[h.Key] = string(h.Value)
	}
	return out
}
