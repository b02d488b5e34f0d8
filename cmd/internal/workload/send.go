package workload

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// queuedRequests bounds how far the generator may run ahead of the broker.
const queuedRequests = 4

// recordOverhead is at least what a record takes in a batch beside key and value,
// in bytes.
const recordOverhead = 32

// request is what one produce request carries: sealed batches, at most one per
// partition.
type request map[int32][]byte

// sender sends requests one at a time, so that batches cannot overtake each
// other. One goroutine feeds requests and closes it; run is another.
type sender struct {
	broker   *kgo.Broker
	topic    string
	id       kadm.TopicID
	requests chan request
	done     chan struct{} // closed when run has ended
}

func newSender(broker *kgo.Broker, topic string, id kadm.TopicID) *sender {
	return &sender{broker, topic, id, make(chan request, queuedRequests), make(chan struct{})}
}

// run sends until requests is closed. After a failure it only drains.
func (s *sender) run(ctx context.Context, fail context.CancelCauseFunc) {
	defer close(s.done)
	for r := range s.requests {
		if ctx.Err() != nil {
			continue
		}
		if err := s.send(ctx, r); err != nil {
			fail(err)
		}
	}
}

// send returns when all batches are written. A partition whose leader is not
// ready, as happens right after the topic's creation, is tried again.
func (s *sender) send(ctx context.Context, batches request) error {
	for deadline := time.Now().Add(settleTimeout); ; {
		resp, err := s.broker.Request(ctx, s.encode(batches))
		if err != nil {
			return fmt.Errorf("produce request: %w", err)
		}
		waiting, err := settle(resp.(*kmsg.ProduceResponse), batches)
		switch {
		case err != nil:
			return err
		case len(batches) == 0:
			return nil
		case time.Now().After(deadline):
			return fmt.Errorf("no leader for %d partitions after %v: %w", len(batches), settleTimeout, waiting)
		}
		if err := pause(ctx, settleInterval); err != nil {
			return err
		}
	}
}

func (s *sender) encode(batches request) *kmsg.ProduceRequest {
	req := kmsg.NewPtrProduceRequest()
	req.Acks = 1
	req.TimeoutMillis = int32(settleTimeout.Milliseconds())
	t := kmsg.NewProduceRequestTopic()
	t.Topic, t.TopicID = s.topic, s.id
	for p, b := range batches {
		tp := kmsg.NewProduceRequestTopicPartition()
		tp.Partition, tp.Records = p, b
		t.Partitions = append(t.Partitions, tp)
	}
	req.Topics = append(req.Topics, t)
	return req
}

// settle removes the batches that are written. It returns why the others have to
// wait, and an error if one never will be.
func settle(resp *kmsg.ProduceResponse, batches request) (waiting, err error) {
	for _, t := range resp.Topics {
		for _, p := range t.Partitions {
			switch err := kerr.ErrorForCode(p.ErrorCode); {
			case err == nil:
				delete(batches, p.Partition)
			case errors.Is(err, kerr.NotLeaderForPartition), errors.Is(err, kerr.UnknownTopicOrPartition), errors.Is(err, kerr.UnknownTopicID):
				waiting = err
			default:
				return nil, fmt.Errorf("partition %d: %w", p.Partition, err)
			}
		}
	}
	return waiting, nil
}

// packer fills batches and hands them to the sender. Where batches begin depends
// on nothing but the records and the batch size, so that every contender reads
// not only the same records but the same batches.
type packer struct {
	sender  *sender
	batches []batch // per partition, the one being filled
	size    int
	pending request
}

func (p *packer) add(partition int, ts int64, key, value []byte) {
	b := &p.batches[partition]
	if b.n > 0 && len(b.buf)+len(key)+len(value)+recordOverhead > p.size {
		p.seal(partition)
	}
	b.add(ts, key, value)
}

func (p *packer) seal(partition int) {
	if _, full := p.pending[int32(partition)]; full {
		p.send()
	}
	if p.pending == nil {
		p.pending = make(request)
	}
	b := &p.batches[partition]
	p.pending[int32(partition)] = b.seal()
	b.buf = make([]byte, 0, p.size)
	if len(p.pending) == len(p.batches) {
		p.send()
	}
}

func (p *packer) send() {
	if len(p.pending) > 0 {
		p.sender.requests <- p.pending
		p.pending = nil
	}
}

// close sends what is left and ends the sender.
func (p *packer) close() {
	for i := range p.batches {
		if p.batches[i].n > 0 {
			p.seal(i)
		}
	}
	p.send()
	close(p.sender.requests)
}
