package workload

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Load is one filling of an input topic with an Input.
type Load struct {
	Cluster Cluster
	Input   *Input
	Topic   string
	// BatchBytes is the size of a record batch. It is part of what is loaded: the
	// same input in batches of the same size is the same topic.
	BatchBytes int
	// Recreate deletes the topic first if it exists.
	Recreate bool
	// Pace is the records per second that are sent at most; 0: as fast as it goes.
	Pace int64
}

// paceStep is the number of records between two looks at the clock: a few
// milliseconds' worth.
const paceStep = 512

// Loaded says what a Load has done.
type Loaded struct {
	// Records is the number of records in the topic.
	Records int64
	// PerPartition is that number per partition.
	PerPartition []int64
	// Existed says that the topic held exactly these records already.
	Existed bool
	// Took is the time for writing.
	Took time.Duration
}

// Run fills the topic with the input's records, per partition in the order of
// their numbers. It does nothing if the topic has exactly these records already;
// a topic with other data is an error.
func (l Load) Run(ctx context.Context) (Loaded, error) {
	existed, err := l.Cluster.CreateTopic(ctx, l.Topic, l.Input.partitions, l.Recreate)
	if err != nil {
		return Loaded{}, err
	}
	// The acks of raw produce requests are taken from the client's config.
	cl, err := l.Cluster.Client(kgo.RequiredAcks(kgo.LeaderAck()), kgo.DisableIdempotentWrite())
	if err != nil {
		return Loaded{}, err
	}
	defer cl.Close()
	adm := kadm.NewClient(cl)
	if existed {
		done, err := l.present(ctx, adm)
		if err != nil || done.Existed {
			return done, err
		}
	}
	id, leader, err := describe(ctx, adm, l.Topic)
	if err != nil {
		return Loaded{}, err
	}
	began := time.Now()
	s := newSender(cl.Broker(int(leader)), l.Topic, id)
	if err := l.produce(ctx, s); err != nil {
		return Loaded{}, fmt.Errorf("workload: filling topic %s, which is incomplete now and has to be recreated: %w", l.Topic, err)
	}
	took := time.Since(began)
	_, end, err := offsets(ctx, adm, l.Topic, false)
	if err != nil {
		return Loaded{}, err
	}
	if sum(end) != l.Input.Total() {
		return Loaded{}, fmt.Errorf("workload: topic %s has %d records after loading %d", l.Topic, sum(end), l.Input.Total())
	}
	return Loaded{Records: sum(end), PerPartition: end, Took: took}, nil
}

// present looks at a topic that exists. An empty one can be filled.
func (l Load) present(ctx context.Context, adm *kadm.Client) (Loaded, error) {
	start, end, err := offsets(ctx, adm, l.Topic, false)
	if err != nil {
		return Loaded{}, err
	}
	total := l.Input.Total()
	if len(end) != l.Input.partitions || sum(start) != 0 || sum(end) != 0 && sum(end) != total {
		return Loaded{}, fmt.Errorf("workload: topic %s exists with %d partitions and %d records, want %d and %d: recreate it",
			l.Topic, len(end), sum(end)-sum(start), l.Input.partitions, total)
	}
	if sum(end) != total || total == 0 {
		return Loaded{}, nil
	}
	first := make([]int64, len(end))
	last := make([]int64, len(end))
	for p, e := range end {
		last[p] = max(e-1, 0)
	}
	for _, at := range [][]int64{first, last} {
		if err := l.compareAt(ctx, at, end); err != nil {
			return Loaded{}, err
		}
	}
	return Loaded{Records: total, PerPartition: end, Existed: true}, nil
}

// compareAt compares one record of each partition that is not empty with what it
// would be.
func (l Load) compareAt(ctx context.Context, at, end []int64) error {
	stop := make([]int64, len(at))
	for p := range at {
		stop[p] = min(at[p]+1, end[p])
	}
	var key [KeySize]byte
	value := make([]byte, l.Input.gen.ValueSize)
	return l.Cluster.scanRange(ctx, l.Topic, at, stop, func(r *kgo.Record) error {
		if len(r.Value) >= MinValueSize {
			if seq := be64(r.Value[8:]); seq >= 0 && seq < l.Input.Total() {
				ts := l.Input.Record(seq, &key, value)
				if ts == r.Timestamp.UnixMilli() && bytes.Equal(key[:], r.Key) && bytes.Equal(value, r.Value) {
					return nil
				}
			}
		}
		return fmt.Errorf("workload: topic %s has other data (partition %d offset %d): recreate it", l.Topic, r.Partition, r.Offset)
	})
}

// produce generates in this goroutine and has the sender send in another.
func (l Load) produce(ctx context.Context, s *sender) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go s.run(ctx, cancel)

	in := l.Input
	pack := packer{sender: s, batches: make([]batch, in.partitions), size: l.BatchBytes}
	var key [KeySize]byte
	value := make([]byte, in.gen.ValueSize)
	began := time.Now()
	for seq := int64(0); seq < in.Total() && ctx.Err() == nil; seq++ {
		if l.Pace > 0 && seq%paceStep == 0 {
			_ = pause(ctx, l.due(seq)-time.Since(began)) // ctx is looked at above
		}
		ts := in.Record(seq, &key, value)
		pack.add(PartitionOf(key[:], in.partitions), ts, key[:], value)
	}
	pack.close()
	<-s.done
	return context.Cause(ctx)
}

// due is when a record may be sent at the load's pace, from the start on.
func (l Load) due(seq int64) time.Duration {
	return time.Duration(float64(seq) / float64(l.Pace) * float64(time.Second))
}
