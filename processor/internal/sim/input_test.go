//go:build synctests

package sim

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/millrace/millrace/processor/internal/partitioner"
)

// eventBase is where the event times of the input begin: in the past of the
// bubble's clock, which must not matter.
var eventBase = time.Date(1999, 12, 30, 0, 0, 0, 0, time.UTC)

// punctuation is how far ahead of eventBase the last record of each partition
// lies, so that it closes every window before it.
const punctuation = 2 * time.Hour

// The partitions that Options.Quiet and Options.Behind speak of.
const (
	quietPartition  = 0
	behindPartition = 1
)

// clockMargin is how much later than by their bound records may come where idle
// partitions follow the clock and the producer meets no faults; produceLimit is
// how much longer it may take if it does.
const (
	clockMargin  = 10 * time.Second
	produceLimit = 30 * time.Second
)

// lastTime is the watermark that the last records lead to behind the first
// stage, at least.
func (o *Options) lastTime() int64 {
	return eventBase.Add(punctuation - o.Bound - o.Grace).UnixMilli()
}

// keysOf returns the keys of a topic whose records belong into each partition.
func keysOf(o *Options) [][]string {
	keys := make([][]string, o.Partitions)
	for i, missing := 0, o.Partitions; i < o.Keys || missing > 0; i++ {
		k := fmt.Sprintf("k%d", i)
		p := partitioner.New()([]byte(k), int32(o.Partitions))
		if len(keys[p]) == 0 {
			missing--
		}
		keys[p] = append(keys[p], k)
	}
	return keys
}

// input makes the records of all source topics, in the order they are produced.
func input(o *Options) []*kgo.Record {
	d := newDice(o.Input, "input")
	keys := keysOf(o)
	var all []*kgo.Record
	for i := range o.Records {
		for _, topic := range o.sources() {
			for p := range o.Partitions {
				if o.Far && i == o.Records/3 {
					all = append(all, farRecord(topic, p))
				}
				if o.Hollow && p == 0 || o.Quiet && p == quietPartition && i > o.Records/4 {
					continue
				}
				all = append(all, event(o, d, topic, p, i, keys[p]))
			}
		}
	}
	return all
}

// farRecord draws nothing: the rest of the input is the same without it.
func farRecord(topic string, p int) *kgo.Record {
	return &kgo.Record{Topic: topic, Partition: int32(p), Key: []byte("far"), Value: []byte("v-far"), Timestamp: farFuture}
}

func event(o *Options, d *dice, topic string, p, i int, keys []string) *kgo.Record {
	r := &kgo.Record{
		Topic: topic, Partition: int32(p), Key: []byte(pick(d, keys...)),
		Value: fmt.Appendf(nil, "v-%s-%d-%d", topic, p, i),
	}
	at := eventBase.Add(time.Duration(p)*17*time.Second + time.Duration(i)*1500*time.Millisecond)
	r.Timestamp = at.Add(-disorder(o, d))
	if o.Behind && p == behindPartition && d.hit(0.2) {
		r.Timestamp = r.Timestamp.Add(-time.Hour)
	}
	if i == o.Records-1 {
		r.Timestamp = eventBase.Add(punctuation)
	} else if o.Trouble && d.hit(0.04) {
		spoil(d, r)
	}
	return r
}

// disorder is how far a record lies behind its place: mostly within the bound,
// sometimes so far that it is late.
func disorder(o *Options, d *dice) time.Duration {
	switch n := d.below(20); {
	case o.Orderly:
		return d.upTo(o.Bound)
	case n < 10:
		return 0
	case n < 16:
		return d.upTo(o.Bound)
	case n < 19:
		return d.upTo(o.Bound + o.Size)
	}
	return d.upTo(o.Bound + o.Grace + 3*o.Size)
}

func spoil(d *dice, r *kgo.Record) {
	switch d.below(5) {
	case 0:
		r.Value = append([]byte(garbled), r.Value...)
	case 1:
		r.Value = append([]byte(poison), r.Value...)
	case 2:
		r.Value = nil
	case 3:
		r.Key = nil
	case 4:
		r.Timestamp = farFuture
	}
}

// A feeder produces the input. What arrives in the log is the truth, not what
// was meant to: with transactions and broker faults some of it never gets
// there.
type feeder struct {
	s      *sim
	client *kgo.Client
	dice   *dice
	done   chan struct{}
}

func newFeeder(s *sim) *feeder {
	return &feeder{s: s, dice: newDice(s.opt.Input, "feeder"), done: make(chan struct{})}
}

// run produces everything within about d of virtual time, with pauses.
func (f *feeder) run(d time.Duration) {
	defer close(f.done)
	defer f.close()
	all := input(&f.s.opt)
	last := slices.IndexFunc(all, func(r *kgo.Record) bool { return r.Timestamp.Equal(eventBase.Add(punctuation)) }) // of each partition
	for rest := all[:last]; len(rest) > 0 && f.s.running(); {
		n := min(f.dice.between(1, 10), len(rest))
		f.present(rest[:n], len(rest) > last/2 && len(rest)-n <= last/2)
		f.batch(rest[:n])
		rest = rest[n:]
		f.pause(d * time.Duration(n) / time.Duration(last))
	}
	if f.s.opt.Clocked { // what ends the run is not of the time of the day
		f.s.pass(20 * time.Second)
	}
	for f.s.running() && !f.s.opt.Endless && !f.punctuate(all[last:]) {
		f.close()
		time.Sleep(100 * time.Millisecond)
	}
}

// silence is how long nothing comes in the middle of a run by the clock.
const silence = 3 * time.Minute

// present gives the records of a run by the clock the time of now, or a little
// earlier.
func (f *feeder) present(records []*kgo.Record, middle bool) {
	if !f.s.opt.Clocked {
		return
	}
	if middle {
		f.s.trace.add("nothing comes for %v", silence)
		f.s.pass(silence)
	}
	for _, r := range records {
		r.Timestamp = time.Now().Add(-f.dice.upTo(f.s.opt.Bound))
	}
}

// pause waits for mean on average: mostly not at all, now and then longer. It
// hurries once the faults have stopped.
func (f *feeder) pause(mean time.Duration) {
	if mean > 0 && f.s.stormy() && f.dice.hit(0.25) {
		time.Sleep(f.dice.upTo(8 * mean))
	}
}

// open makes a client if there is none; with transactions that settles what
// the last one left.
func (f *feeder) open() bool {
	if f.client != nil {
		return true
	}
	opts := append(f.s.client(), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if f.s.opt.InputTxn {
		opts = append(opts, kgo.TransactionalID("feeder"), kgo.TransactionTimeout(5*time.Second))
	}
	client, err := kgo.NewClient(opts...)
	if err != nil {
		f.s.bad("feeder: %v", err)
		return false
	}
	f.client = client
	return true
}

func (f *feeder) close() {
	if f.client != nil {
		f.client.Close()
		f.client = nil
	}
}

// batch produces records, sometimes in a transaction that is aborted. It may
// fail.
func (f *feeder) batch(records []*kgo.Record) {
	commit := kgo.TransactionEndTry(!f.dice.hit(0.15))
	if !f.produce(records, commit) {
		f.close()
	}
}

// punctuate produces the last record of each partition; false if that may have
// failed. A duplicate does no harm.
func (f *feeder) punctuate(records []*kgo.Record) bool {
	fresh := make([]*kgo.Record, len(records))
	if f.s.opt.Clocked {
		for _, r := range records {
			r.Timestamp = time.Now().Add(punctuation)
		}
	}
	for i, r := range records {
		fresh[i] = &kgo.Record{Topic: r.Topic, Partition: r.Partition, Key: r.Key, Value: r.Value, Timestamp: r.Timestamp}
	}
	return f.produce(fresh, kgo.TryCommit)
}

func (f *feeder) produce(records []*kgo.Record, how kgo.TransactionEndTry) bool {
	if !f.open() {
		return false
	}
	ctx, cancel := context.WithTimeout(context.Background(), produceLimit)
	defer cancel()
	if f.s.opt.InputTxn {
		if err := f.client.BeginTransaction(); err != nil {
			return false
		}
	}
	err := f.client.ProduceSync(ctx, records...).FirstErr()
	if !f.s.opt.InputTxn {
		return err == nil
	}
	if err != nil {
		how = kgo.TryAbort
	}
	return f.client.EndTransaction(ctx, how) == nil && err == nil
}
