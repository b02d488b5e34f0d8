package main

import (
	"context"
	"errors"
	"flag"
	"io"
	"strings"

	"github.com/millrace/millrace/cmd/internal/workload"
)

// topic creates, recreates or deletes sink topics.
func topic(fs *flag.FlagSet) action {
	topics := fs.String("topic", "", "topics, comma-separated")
	partitions := fs.Int("partitions", 8, "partitions")
	recreate := fs.Bool("recreate", false, "delete the topics first if they exist")
	remove := fs.Bool("delete", false, "only delete the topics")
	return func(ctx context.Context, cluster workload.Cluster, _ io.Writer) error {
		if *topics == "" {
			return errors.New("topic: -topic is required")
		}
		for name := range strings.SplitSeq(*topics, ",") {
			var err error
			if *remove {
				err = cluster.DeleteTopic(ctx, name)
			} else {
				_, err = cluster.CreateTopic(ctx, name, *partitions, *recreate)
			}
			if err != nil {
				return err
			}
		}
		return nil
	}
}
