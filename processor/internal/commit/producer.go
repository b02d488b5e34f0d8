package commit

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"

	"github.com/millrace/millrace/processor/internal/broker"
	"github.com/millrace/millrace/processor/internal/graph"
)

// Settings of the producing client, measured: a larger backlog only makes the
// flush of a commit longer, and after some failures the client retries no
// sooner than the age of its metadata allows.
const (
	producerBacklog  = 30_000 // records
	producerLinger   = 5 * time.Millisecond
	producerMetadata = 10 * time.Millisecond
	endTimeout       = 30 * time.Second // for one request that ends a transaction
	fenceWindow      = time.Minute
	fencesTolerated  = 2
)

// A producer owns a client that writes, and in it the transaction of a commit. It
// belongs to whoever has the commit; promises run on the client's goroutine.
//
// The client is replaced whenever the state of its transaction is in doubt: a
// new one with the same transactional id makes the broker settle what the old
// one left.
//
// Rejected, each within the noise on a stateless map: a backlog of 15,000,
// 60,000, 100,000 or 200,000 records, a linger of 0 or 1 ms, batches of 128 or
// 256 KB. More produce requests in flight: the client ignores that where it is
// idempotent, and has five already.
type producer struct {
	opts   []kgo.Opt
	txnID  string // empty: not transactional
	client *kgo.Client
	arena  *recordArena
	acks   *acks
	began  time.Time
	fences []time.Time // when somebody else took the transactional id
	age    time.Duration
	now    func() time.Time
}

// acks collects the answers for the records of one commit.
type acks struct {
	done    atomic.Int64
	first   atomic.Pointer[ProduceError]
	promise func(*kgo.Record, error) // answer, made once and not for each record
}

func newAcks() *acks {
	a := new(acks)
	a.promise = a.answer
	return a
}

func (a *acks) answer(r *kgo.Record, err error) {
	if err != nil && a.first.Load() == nil {
		a.first.CompareAndSwap(nil, &ProduceError{r.Topic, r.Partition, broker.RecordBytes(r), r.Timestamp, err})
	}
	a.done.Add(1)
}

func newProducer(cfg *Config, txnID string) *producer {
	opts := []kgo.Opt{kgo.ProducerBatchCompression(kgo.NoCompression())} // unless the user says otherwise
	opts = append(opts, cfg.Client...)
	opts = append(opts,
		kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.MaxBufferedRecords(producerBacklog),
		kgo.ProducerLinger(producerLinger),
		kgo.ProducerBatchMaxBytesFn(cfg.LargestBatch),
		kgo.MetadataMinAge(producerMetadata),
		kgo.ConcurrentTransactionsBackoff(broker.ConcurrentPause),
	)
	if txnID != "" {
		opts = append(opts, kgo.TransactionalID(txnID), kgo.TransactionTimeout(cfg.TransactionTimeout))
	}
	if cfg.Stepped {
		opts = append(opts, kgo.MaxVersions(beforeVersion2()))
	}
	return &producer{opts: opts, txnID: txnID, arena: new(recordArena), acks: newAcks(), age: cfg.TransactionTimeout, now: time.Now}
}

// beforeVersion2 pins the requests whose newer versions work only where
// transaction.version is 2.
func beforeVersion2() *kversion.Versions {
	v := kversion.Stable()
	v.SetMaxKeyVersion(int16(kmsg.Produce), 11)
	v.SetMaxKeyVersion(int16(kmsg.EndTxn), 4)
	v.SetMaxKeyVersion(int16(kmsg.TxnOffsetCommit), 4)
	return v
}

// open connects and takes the transactional id over: whatever an earlier holder
// had open is aborted, and its later requests are refused.
func (p *producer) open(ctx context.Context, complain func(error)) error {
	client, err := kgo.NewClient(p.opts...)
	if err != nil {
		return fmt.Errorf("open the producing client: %w", err)
	}
	err = broker.Retry(ctx, complain, func(ctx context.Context) error {
		_, _, err := client.ProducerID(ctx)
		return err
	})
	if err != nil {
		client.Close()
		return fmt.Errorf("take over transactional id %q: %w", p.txnID, err)
	}
	p.client = client
	return nil
}

// reopen replaces the client. Records that the old one still had are left to
// it.
func (p *producer) reopen(ctx context.Context, complain func(error)) error {
	p.close()
	p.arena, p.acks = new(recordArena), newAcks()
	return p.open(ctx, complain)
}

func (p *producer) close() {
	if p.client != nil {
		p.client.Close()
		p.client = nil
	}
}

// errNoClient says that a stop came while the client was being replaced.
var errNoClient = errors.New("the producing client was closed and could not be replaced")

// begin opens a transaction, if there are any.
func (p *producer) begin() error {
	if p.client == nil {
		return errNoClient
	}
	p.acks.done.Store(0)
	p.acks.first.Store(nil)
	p.arena.reset()
	p.began = p.now()
	if p.txnID == "" {
		return nil
	}
	if err := p.client.BeginTransaction(); err != nil {
		return fmt.Errorf("begin a transaction of %q: %w", p.txnID, err)
	}
	return nil
}

// send hands a record over and returns its number in the commit. It waits only
// while the client's backlog is full.
func (p *producer) send(ctx context.Context, topic string, partition int32, at time.Time, key, value []byte, headers []graph.Header) int {
	r := p.arena.add(topic, partition, at, key, value, headers)
	p.client.Produce(ctx, r, p.acks.promise)
	return p.arena.n - 1
}

// flush waits for the answer to every record sent and returns the first
// failure. A transaction in which one record failed must not commit (G1).
func (p *producer) flush(ctx context.Context, look bool) error {
	if err := p.client.Flush(ctx); err != nil {
		return fmt.Errorf("flush %d records: %w", p.arena.n, err)
	}
	if e := p.acks.first.Load(); e != nil && look {
		return e
	}
	if n := p.acks.done.Load(); n != int64(p.arena.n) && look {
		return fmt.Errorf("flush: %d of %d records were answered", n, p.arena.n)
	}
	return nil
}

// end ends the transaction.
func (p *producer) end(ctx context.Context, how kgo.TransactionEndTry) error {
	ctx, cancel := context.WithTimeout(ctx, endTimeout)
	defer cancel()
	if err := p.client.EndTransaction(ctx, how); err != nil {
		return fmt.Errorf("end the transaction of %q: %w", p.txnID, err)
	}
	return nil
}

// fenced counts failures that mean another process has taken our transactional
// id. The broker's own timeout looks the same, but only on transactions that
// were open for so long. It returns an error when it is clear that two
// processes share one id: they would go on to fence each other for ever.
func (p *producer) fenced(err error) error {
	now := p.now()
	if !fencedOff(err) || now.Sub(p.began) >= p.age/2 {
		return nil
	}
	p.fences = append(p.fences, now)
	for len(p.fences) > 0 && now.Sub(p.fences[0]) > fenceWindow {
		p.fences = p.fences[1:]
	}
	if len(p.fences) < fencesTolerated {
		return nil
	}
	return fmt.Errorf("another process uses transactional id %q, it took it over %d times within a minute: %w; is the state directory a copy of another process's? give each process its own", p.txnID, len(p.fences), err)
}

// fencedOff reports whether another holder of the transactional id, or the broker's
// transaction timeout, has ended what we had open.
func fencedOff(err error) bool {
	return errors.Is(err, kerr.ProducerFenced) || errors.Is(err, kerr.InvalidProducerEpoch)
}
