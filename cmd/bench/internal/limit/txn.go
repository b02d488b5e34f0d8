package limit

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

const (
	// transactionTimeout is how long a loop that has died blocks readers of its output.
	transactionTimeout = 10 * time.Second
	// abortTimeout bounds the abort of what is open at the end.
	abortTimeout = 5 * time.Second
)

// A txn drives the transactions of one transactional id. The client produces and ends the
// transaction; the offsets are committed by a plain TxnOffsetCommit, for the consumer is
// a client of its own. It is used by one goroutine at a time.
type txn struct {
	d      *drain
	id     string
	cl     *kgo.Client
	failed failure
	open   bool
	covers cover
}

// A cover is what a commit covers: everything consumed up to a moment.
type cover struct {
	pos      []int64
	consumed int64
}

// cut fixes what the transaction covers: everything consumed so far.
func (t *txn) cut() {
	t.covers.pos = append(t.covers.pos[:0], t.d.in.pos...)
	t.covers.consumed = t.d.in.consumed
}

// openTxn opens a client and fences older ones with the same id.
func (d *drain) openTxn(ctx context.Context, id string) (*txn, error) {
	cl, err := d.Cluster.Client(append(d.producerOptions(), kgo.TransactionalID(id), kgo.TransactionTimeout(transactionTimeout))...)
	if err != nil {
		return nil, err
	}
	if _, _, err = cl.ProducerID(ctx); err != nil {
		cl.Close()
		return nil, fmt.Errorf("transactional id %s: %w", id, err)
	}
	return &txn{d: d, id: id, cl: cl, failed: newFailure()}, nil
}

// send produces a record; the first one begins the transaction.
func (t *txn) send(r *kgo.Record) {
	if !t.open {
		if err := t.cl.BeginTransaction(); err != nil {
			t.failed.set(err)
			return
		}
		t.open = true
	}
	t.cl.Produce(context.Background(), r, t.failed.promise)
}

// steps are the durations of one commit.
type steps struct{ flush, offsets, end, total time.Duration }

// flush waits until everything produced is acknowledged.
func (t *txn) flush(ctx context.Context) error {
	if err := t.cl.Flush(ctx); err != nil {
		return fmt.Errorf("flush: %w", err)
	}
	return t.failed.get()
}

// commit adds the offsets and ends the transaction. Everything must be flushed.
func (t *txn) commit(ctx context.Context, s *steps) error {
	began := time.Now()
	if err := t.commitOffsets(ctx); err != nil {
		return fmt.Errorf("commit offsets: %w", err)
	}
	offsets := time.Now()
	if err := t.cl.EndTransaction(ctx, kgo.TryCommit); err != nil {
		return fmt.Errorf("end transaction: %w", err)
	}
	s.offsets, s.end = offsets.Sub(began), time.Since(offsets)
	t.open = false
	return nil
}

// commitOffsets sends TxnOffsetCommit until no other transaction is in its way. With
// transaction.version 2 the request itself adds the group to the transaction. The epoch
// is asked for anew each time, for the end of each transaction raises it.
func (t *txn) commitOffsets(ctx context.Context) error {
	id, epoch, err := t.cl.ProducerID(ctx)
	if err != nil {
		return err
	}
	req := t.offsets()
	req.ProducerID, req.ProducerEpoch = id, epoch
	for {
		resp, err := req.RequestWith(ctx, t.cl)
		if err != nil {
			return err
		}
		if err := refused(resp); !errors.Is(err, kerr.ConcurrentTransactions) {
			return err
		}
		t.d.conflicts.count.Add(1)
		if err := pause(ctx, t.d.Producer.Backoff); err != nil {
			return err
		}
	}
}

func (t *txn) offsets() *kmsg.TxnOffsetCommitRequest {
	req := kmsg.NewPtrTxnOffsetCommitRequest()
	req.TransactionalID, req.Group = t.id, t.d.Group
	topic := kmsg.NewTxnOffsetCommitRequestTopic()
	topic.Topic, topic.TopicID = t.d.In, t.d.topicID // by which, depends on the version
	for p, at := range t.covers.pos {
		partition := kmsg.NewTxnOffsetCommitRequestTopicPartition()
		partition.Partition, partition.Offset = int32(p), at
		topic.Partitions = append(topic.Partitions, partition)
	}
	req.Topics = append(req.Topics, topic)
	return req
}

// refused is the error of the last partition that has one.
func refused(resp *kmsg.TxnOffsetCommitResponse) (err error) {
	for _, t := range resp.Topics {
		for _, p := range t.Partitions {
			if e := kerr.ErrorForCode(p.ErrorCode); e != nil {
				err = e
			}
		}
	}
	return err
}

// close aborts what is open: left to the broker's timeout, it would hold back the readers
// of the output.
func (t *txn) close() {
	if t.open {
		ctx, cancel := context.WithTimeout(context.Background(), abortTimeout)
		defer cancel()
		if t.cl.AbortBufferedRecords(ctx) == nil {
			_ = t.cl.EndTransaction(ctx, kgo.TryAbort) // else the timeout does it
		}
	}
	t.cl.Close()
}

// commitPlain commits offsets without a transaction. Ending one into which nothing was
// produced does nothing, and its offsets would stay pending.
func (d *drain) commitPlain(ctx context.Context, cl *kgo.Client, pos []int64) error {
	offsets := make(kadm.Offsets)
	for p, at := range pos {
		offsets.AddOffset(d.In, int32(p), at, -1)
	}
	if err := kadm.NewClient(cl).CommitAllOffsets(ctx, d.Group, offsets); err != nil {
		return fmt.Errorf("commit offsets: %w", err)
	}
	return nil
}

// record notes a commit.
func (d *drain) record(c cover, s steps) {
	r := &d.result
	r.Flush, r.Offsets, r.End = append(r.Flush, s.flush), append(r.Offsets, s.offsets), append(r.End, s.end)
	r.Commits = append(r.Commits, s.total)
	d.meter.Mark(c.consumed)
}

// pause waits, but not beyond the end of ctx.
func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
