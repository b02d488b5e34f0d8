package broker

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
		{Partition: 1, Records: make([]*kgo.Record, 3)},
		{Partition: 2, Records: make([]*kgo.Record, 1), Err: kerr.OffsetOutOfRange},
		{Partition: 3, Err: kerr.NotLeaderForPartition}, // heals by itself
	}}}}}
	got := readings{0: 0, 1: 0, 2: 0, 3: 0}
	errs := deliver(fetches, got)
	if got[0] != 0 || got[1] != 3 || got[2] != 1 {
		t.Errorf("handed over by partition: %v", got)
	}
	var gone *GoneError
	if len(errs) != 2 || !errors.As(errs[0], &gone) || gone.Partition != 0 || !errors.As(errs[1], &gone) || gone.Partition != 2 {
		t.Errorf("errors: %v", errs)
	}
}

// readings are the records that came of each partition that is read.
type readings map[int32]int

func (r readings) Reads(tp TopicPartition) bool {
	_, ok := r[tp.Partition]
	return tp.Topic == "in" && (ok || tp.Partition < 0)
}

func (r readings) Take(tp TopicPartition, records []*kgo.Record) error {
	r[tp.Partition] += len(records)
	return nil
}

// What is wrong with a partition that was given away is its new owner's matter;
// what is wrong with the topic is not.
func TestErrorsOfWhatIsNotRead(t *testing.T) {
	for _, tc := range []struct {
		topic     string
		partition int32
		err       error
		want      bool
	}{
		{"in", 0, kerr.OffsetOutOfRange, true},
		{"in", 1, kerr.OffsetOutOfRange, false},
		{"in", 1, &kgo.ErrDataLoss{Topic: "in", Partition: 1}, false},
		{"in", 1, kerr.TopicAuthorizationFailed, true},
		{"gone", 0, kerr.TopicAuthorizationFailed, false},
		{"", 0, kerr.ClusterAuthorizationFailed, true},
	} {
		fetches := kgo.Fetches{{Topics: []kgo.FetchTopic{{Topic: tc.topic, Partitions: []kgo.FetchPartition{{Partition: tc.partition, Err: tc.err}}}}}}
		if errs := deliver(fetches, readings{0: 0}); len(errs) > 0 != tc.want {
			t.Errorf("topic %q partition %d: %v leads to %v", tc.topic, tc.partition, tc.err, errs)
		}
	}
}
