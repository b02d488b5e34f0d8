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

// counted counts what another outflow sends.
type counted struct {
	of   outflow
	sent *int64
}

func (c counted) consumed(partition int32, records []*kgo.Record, send func(*kgo.Record)) {
	c.of.consumed(partition, records, c.through(send))
}

func (c counted) cut(send func(*kgo.Record)) { c.of.cut(c.through(send)) }

func (c counted) through(send func(*kgo.Record)) func(*kgo.Record) {
	return func(r *kgo.Record) {
		*c.sent++
		send(r)
	}
}
