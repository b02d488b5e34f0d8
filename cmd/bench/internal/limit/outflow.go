package limit

import "github.com/twmb/franz-go/pkg/kgo"

// An outflow decides what a loop produces. The sender takes a record over; send may be
// called from no other goroutine.
type outflow interface {
	// consumed is told of the next records of a partition. It owns them.
	consumed(partition int32, records []*kgo.Record, send func(*kgo.Record))
	// cut is told that an interval ends and is to be committed.
	cut(send func(*kgo.Record))
}

// copies sends every record on as it is, to the same partition of another topic, without
// an allocation.
type copies struct{ topic string }

func (c copies) consumed(_ int32, records []*kgo.Record, send func(*kgo.Record)) {
	for _, r := range records {
		r.Topic = c.topic
		send(r)
	}
}

func (copies) cut(func(*kgo.Record)) {}
