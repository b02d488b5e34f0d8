package worker

import (
	"errors"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// A partition that cannot be read takes no records of others with it: the worker
// may go on, and they would never come again.
func TestDeliverBesideAFailure(t *testing.T) {
	fetches := kgo.Fetches{{Topics: []kgo.FetchTopic{{Topic: "in", Partitions: []kgo.FetchPartition{
		{Partition: 0, Err: kerr.OffsetOutOfRange},
		{Partition: 1, Records: fetched(0, 3)},
		{Partition: 2, Records: fetched(0, 1), Err: kerr.OffsetOutOfRange},
		{Partition: 3, Err: kerr.NotLeaderForPartition}, // heals by itself
	}}}}}
	got := map[int32]int{}
	errs := deliver(fetches, func(tp topicPartition, records []*kgo.Record) error {
		got[tp.partition] = len(records)
		return nil
	})
	if len(got) != 2 || got[1] != 3 || got[2] != 1 {
		t.Errorf("handed over by partition: %v", got)
	}
	var gone *goneError
	if len(errs) != 2 || !errors.As(errs[0], &gone) || gone.partition != 0 || !errors.As(errs[1], &gone) || gone.partition != 2 {
		t.Errorf("errors: %v", errs)
	}
}
