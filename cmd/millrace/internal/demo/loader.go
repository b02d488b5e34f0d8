package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/millrace/millrace/cmd/millrace/internal/accesslog"
)

// load writes every line to web.access, in the order of the file: keyed by the
// client and dated by the request. A line that cannot be read has no key, goes
// to partition 0 and takes the time of the last good line, 0 before the first.
// It returns the number of lines.
func (c *Cluster) load(ctx context.Context, log *Log) (lines int64, err error) {
	producer, err := kgo.NewClient(kgo.SeedBrokers(c.Brokers...), kgo.DefaultProduceTopic(accessTopic().Name), kgo.RecordPartitioner(byClient()))
	if err != nil {
		return 0, fmt.Errorf("load %s: %w", accessTopic().Name, err)
	}
	defer producer.Close()
	first := kgo.AbortingFirstErrPromise(producer)
	last := time.UnixMilli(0)
	for ; ; lines++ {
		line, err := log.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return lines, err
		}
		record := &kgo.Record{Value: append([]byte{}, line...)} // never nil: an empty line is a line
		if request, err := accesslog.Parse(line); err == nil {
			record.Key = []byte(request.Client)
			last = time.UnixMilli(request.Time)
		}
		record.Timestamp = last
		producer.Produce(ctx, record, first.Promise())
	}
	if err := first.Err(); err != nil {
		return lines, fmt.Errorf("load %s: %w", accessTopic().Name, err)
	}
	return lines, nil
}

// byClient is the partitioner of the Java client for records with a key; those
// without go to partition 0, so that the result does not depend on chance.
func byClient() kgo.Partitioner {
	return kgo.BasicConsistentPartitioner(func(topic string) func(*kgo.Record, int) int {
		keyed := kgo.StickyKeyPartitioner(nil).ForTopic(topic)
		return func(r *kgo.Record, n int) int {
			if r.Key == nil {
				return 0
			}
			return keyed.Partition(r, n)
		}
	})
}
