// Package probe measures the delay from a source to a sink topic at a fixed rate, through
// any contender that passes the sequence numbers of the records on.
package probe

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/millrace/millrace/cmd/bench/internal/meter"
	"github.com/millrace/millrace/cmd/internal/workload"
)

const (
	// maxRecords bounds a probe: each delay is kept as it is.
	maxRecords = 20_000_000
	// headStart is the time between the decision to begin and the first record.
	headStart = 100 * time.Millisecond
	// fetchWait is how long the broker may wait for something new in the sink.
	fetchWait = 500 * time.Millisecond
	// producerBacklog bounds the records that wait for the broker, so that a stall of it
	// does not stop the schedule.
	producerBacklog = 1_000_000
)

// A Probe sends records on schedule and notes when each comes out of the sink.
//
// The load is open loop: record i is due at start + i/rate, whatever happens, and its
// delay runs from when it was due, not from when it was sent, to when a read_committed
// consumer of the sink got it. A stall thus counts against every record that was due
// during it. Event times are those of the data for this rate.
type Probe struct {
	Cluster workload.Cluster
	// In is filled by the probe, Out by the contender; both exist and are empty.
	In, Out string
	// Gen makes the records, and its Rate is that of the schedule.
	Gen *workload.Gen
	// Duration is the time to send. Records due within the Warmup are not measured.
	Duration, Warmup time.Duration
	// Ready bounds the wait until the contender has passed on one record of each
	// partition; the schedule begins behind that.
	Ready time.Duration
	// Drain ends the probe when everything is sent and nothing has come for so long.
	Drain time.Duration
	// Filtered says that the contender drops amounts that are multiples of ten, as the map
	// workload does.
	Filtered bool
}

// Latency is what a probe found.
type Latency struct {
	// Sent are the records, Expected those that the contender does not drop, Received those
	// that came, and Repeated how many came once more.
	Sent, Expected, Received, Repeated int64
	// Delay of the measured records, and how late each was sent.
	Delay, Behind meter.Delays
}

// Run sends everything and waits for it.
func (p Probe) Run(ctx context.Context) (l Latency, err error) {
	total := int64(p.Duration.Seconds() * float64(p.Gen.Rate))
	if total < 1 || total > maxRecords || p.Warmup >= p.Duration {
		return l, fmt.Errorf("probe: %d records with a warm-up of %v, want 1 to %d and less than %v", total, p.Warmup, maxRecords, p.Duration)
	}
	partitions, err := p.Cluster.Partitions(ctx, p.In)
	if err != nil {
		return l, err
	}
	cons, err := p.consumer(ctx)
	if err != nil {
		return l, err
	}
	defer cons.Close()
	prod, err := p.Cluster.Client(
		kgo.DefaultProduceTopic(p.In), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerBatchCompression(kgo.NoCompression()),
		kgo.ProducerLinger(0), kgo.MaxBufferedRecords(producerBacklog),
	)
	if err != nil {
		return l, err
	}
	defer prod.Close()
	if err := p.greet(ctx, prod, cons, partitions); err != nil {
		return l, err
	}
	schedule := schedule{
		start: time.Now().Add(headStart), rate: p.Gen.Rate, total: total, from: int64(p.Warmup.Seconds() * float64(p.Gen.Rate)),
	}
	s := newSender(p.Gen, schedule, partitions, p.Filtered)
	r := newReceiver(schedule)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go s.run(ctx, prod)
	err = r.run(ctx, cons, s, p.Drain)
	cancel()
	<-s.ended
	if err = errors.Join(err, s.err); err != nil {
		return l, fmt.Errorf("probe: %w", err)
	}
	return Latency{total, s.expected, r.received, r.repeated, r.delay, s.behind}, nil
}

// consumer reads the sink from where it ends now.
func (p Probe) consumer(ctx context.Context) (*kgo.Client, error) {
	_, end, err := p.Cluster.Range(ctx, p.Out)
	if err != nil {
		return nil, err
	}
	from := make(map[int32]kgo.Offset)
	for i, at := range end {
		from[int32(i)] = kgo.NewOffset().At(at)
	}
	return p.Cluster.Client(
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{p.Out: from}), kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.FetchMaxWait(fetchWait),
	)
}

// schedule says when a record is due.
type schedule struct {
	start       time.Time
	rate        int64
	total, from int64 // records in all; the first one that is measured
}

func (s schedule) due(seq int64) time.Time {
	return s.start.Add(time.Duration(float64(seq) / float64(s.rate) * float64(time.Second)))
}
