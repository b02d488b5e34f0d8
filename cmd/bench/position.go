package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/millrace/millrace/cmd/internal/workload"
)

// A position is how far a group has come in a topic that does not grow: from outside, by
// its committed offsets, as it is asked for every contender.
type position struct {
	client       *kgo.Client
	admin        *kadm.Client
	group, topic string
	start, end   []int64
	last         int64 // what committed returned last
}

func openPosition(ctx context.Context, cluster workload.Cluster, group, topic string) (*position, error) {
	start, end, err := cluster.Range(ctx, topic)
	if err != nil {
		return nil, err
	}
	cl, err := cluster.Client()
	if err != nil {
		return nil, err
	}
	return &position{client: cl, admin: kadm.NewClient(cl), group: group, topic: topic, start: start, end: end}, nil
}

func (p *position) close() { p.client.Close() }

// total is the number of records in the topic.
func (p *position) total() (n int64) {
	for i := range p.end {
		n += p.end[i] - p.start[i]
	}
	return n
}

// committed is the number of records that the group has committed. A group that does not
// exist yet has none; while its coordinator moves, or is made on a fresh broker, the last
// answer stands.
func (p *position) committed(ctx context.Context) (int64, error) {
	offsets, err := p.admin.FetchOffsets(ctx, p.group)
	switch {
	case errors.Is(err, kerr.GroupIDNotFound):
		return 0, nil
	case kerr.IsRetriable(err):
		return p.last, nil
	case err != nil:
		return 0, fmt.Errorf("run: committed offsets of group %s: %w", p.group, err)
	}
	n := int64(0)
	for i, start := range p.start {
		if o, ok := offsets.Lookup(p.topic, int32(i)); ok && o.Err == nil {
			n += max(o.At-start, 0)
		}
	}
	p.last = n
	return n, nil
}
