package commit

import (
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
)

// A ProduceError is a record that a topic did not take, with the broker's reason.
type ProduceError struct {
	Topic     string
	partition int32
	size      int
	at        time.Time // of the record
	Err       error
}

func (e *ProduceError) Error() string {
	s := fmt.Sprintf("produce to topic %q partition %d: %v", e.Topic, e.partition, e.Err)
	switch {
	case errors.Is(e.Err, kerr.MessageTooLarge) || errors.Is(e.Err, kerr.RecordListTooLarge):
		s += fmt.Sprintf("; the record has %d bytes, and it or what it was sent together with is more than max.message.bytes of the topic: raise that, or make values smaller", e.size)
	case errors.Is(e.Err, kerr.UnknownTopicOrPartition) || errors.Is(e.Err, kerr.UnknownTopicID):
		s += "; the topic was deleted while the application ran: make a sink again with as many partitions; for an internal topic stop the application and start it again, which says what to do"
	case errors.Is(e.Err, kerr.InvalidTimestamp):
		s += fmt.Sprintf("; the time of the record, or of one beside it, is %s: raise message.timestamp.after.max.ms (or before.max.ms) of the topic, or give To the option ClampTime", e.at.UTC().Format(time.RFC3339))
	case errors.Is(e.Err, kerr.InvalidRecord):
		s += "; a record is not valid there: a compacted topic (cleanup.policy) takes none without a key"
	}
	return s
}

// OfRecord reports whether the broker refuses what one record is, and not what
// it came with: CORRUPT_MESSAGE is about the way, and the client tries again.
func (e *ProduceError) OfRecord() bool {
	for _, r := range []*kerr.Error{kerr.MessageTooLarge, kerr.RecordListTooLarge, kerr.InvalidTimestamp, kerr.InvalidRecord} {
		if errors.Is(e.Err, r) {
			return true
		}
	}
	return false
}

func (e *ProduceError) Unwrap() error { return e.Err }
