package topics

import (
	"context"
	"fmt"
	"slices"

	"github.com/millrace/millrace/processor/internal/graph"
)

// provideRepartitions creates the repartition topics that are missing and
// verifies the others, upstream ones first, for the number of partitions goes
// down the graph.
//
// Nothing in them is ever deleted by time, for they carry event times of any
// age: the worker deletes what was processed and committed.
func (s *clusterCheck) provideRepartitions(ctx context.Context) error {
	for _, r := range s.cfg.Graph.Repartitions() {
		n := s.repartitionCount(r)
		if err := s.provideTopic(ctx, r.Topic, n, "delete"); err != nil {
			return fmt.Errorf("repartition topic: %w", err)
		}
		settings, err := s.settings(ctx, r.Topic)
		if err != nil {
			return err
		}
		if err := verifyRepartition(r.Topic, settings); err != nil {
			return err
		}
	}
	return nil
}

// verifyRepartition refuses settings under which the broker would delete records
// that are still to be processed, or make each of them one of the present.
func verifyRepartition(topic string, settings map[string]string) error {
	for _, name := range []string{configRetention, configRetentionBytes} {
		if v := settings[name]; v != "-1" && v != "" {
			return fmt.Errorf("repartition topic %q has %s=%s, so the broker deletes records before they are processed; set it to -1 with `kafka-configs.sh --alter`", topic, name, v)
		}
	}
	if v := settings[configTimestampType]; v != createTime && v != "" { // empty: the broker does not say
		return fmt.Errorf("repartition topic %q has %s=%s, so the broker replaces the event time of records by its own; set it with `kafka-configs.sh --alter --entity-type topics --entity-name %s --add-config %s=%s`",
			topic, configTimestampType, v, topic, configTimestampType, createTime)
	}
	return nil
}

// repartitionCount is the number of partitions a repartition topic is to have:
// what was asked for, else that of the topics it is read together with, else
// the most of those its records come from.
func (s *clusterCheck) repartitionCount(r graph.Repartition) int32 {
	if r.Partitions > 0 {
		return r.Partitions
	}
	for _, sub := range s.cfg.Graph.Subtopologies() {
		if !slices.Contains(sub.Fed, r.Topic) {
			continue
		}
		for _, topic := range sub.Sources {
			if !slices.Contains(sub.Fed, topic) {
				return s.partitions[topic]
			}
		}
	}
	most := int32(1)
	for _, topic := range r.From.Sources {
		most = max(most, s.partitions[topic])
	}
	return most
}
