//go:build synctests

package sim

import (
	"context"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// readLimit is the virtual time a reader of committed records may take: longer
// than any transaction can stay open.
const readLimit = 2 * time.Minute

// readCommitted returns all committed records of the topics by partition, in
// the order of the log.
func (s *sim) readCommitted(topics ...string) (map[place][]*kgo.Record, error) {
	out, ends := map[place][]*kgo.Record{}, map[place]int64{}
	from := map[string]map[int32]kgo.Offset{}
	for _, topic := range topics {
		for _, p := range s.cluster.PartitionInfos(topic) {
			if p.HighWatermark == p.LogStartOffset {
				continue
			}
			ends[place{topic, p.Partition}] = p.HighWatermark
			if from[topic] == nil {
				from[topic] = map[int32]kgo.Offset{}
			}
			from[topic][p.Partition] = kgo.NewOffset().At(p.LogStartOffset) // what was processed in a repartition topic is deleted
		}
	}
	if len(ends) == 0 {
		return out, nil
	}
	client, err := kgo.NewClient(append(s.client(), kgo.ConsumePartitions(from), kgo.KeepControlRecords(),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.ConsumeResetOffset(kgo.NoResetOffset()))...)
	if err != nil {
		return nil, err
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(context.Background(), readLimit)
	defer cancel()
	for len(ends) > 0 && ctx.Err() == nil {
		client.PollFetches(ctx).EachRecord(func(r *kgo.Record) {
			at := place{r.Topic, r.Partition}
			if !r.Attrs.IsControl() {
				out[at] = append(out[at], r)
			}
			if end, ok := ends[at]; ok && r.Offset+1 >= end {
				delete(ends, at)
			}
		})
	}
	if len(ends) > 0 {
		return nil, fmt.Errorf("a transaction hangs: not readable to the end within %v: %v", readLimit, ends)
	}
	return out, nil
}

func header(r *kgo.Record, key string) string {
	for _, h := range r.Headers {
		if h.Key == key {
			return string(h.Value)
		}
	}
	return ""
}
