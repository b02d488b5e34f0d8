package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"

	"github.com/millrace/millrace/cmd/internal/workload"
)

// prepare sees to the topics.
func (r *contenderRun) prepare(ctx context.Context, cluster workload.Cluster) error {
	if r.reset {
		if err := r.forget(ctx, cluster, true); err != nil {
			return err
		}
	}
	partitions, err := cluster.Partitions(ctx, r.in)
	if err != nil {
		return err
	}
	_, err = cluster.CreateTopic(ctx, r.out, partitions, false)
	return err
}

// forget removes what an earlier run has left: internal topics, committed offsets, local
// state, and on demand the sink.
func (r *contenderRun) forget(ctx context.Context, cluster workload.Cluster, sink bool) error {
	err := cluster.DeleteTopics(ctx, func(topic string) bool { return sink && topic == r.out || r.internal(topic) })
	if err != nil {
		return err
	}
	if err := cluster.DeleteGroup(ctx, r.appID); err != nil {
		return err
	}
	return os.RemoveAll(filepath.Join(r.stateDir, r.appID))
}

// internal reports that a topic is one of the application's own.
func (r *contenderRun) internal(topic string) bool {
	return strings.HasPrefix(topic, r.appID+"-") && (strings.HasSuffix(topic, "-repartition") || r.changelog(topic))
}

func (r *contenderRun) changelog(topic string) bool {
	return strings.HasPrefix(topic, r.appID+"-") && strings.HasSuffix(topic, "-changelog")
}
