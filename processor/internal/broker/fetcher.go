package broker

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"reflect"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// FetchWait is how long the broker holds back an answer without data. A
// partition that is added waits for it at most.
const FetchWait = 250 * time.Millisecond

// fetchMetadata is how soon after another the client may look for moved
// leaders.
const fetchMetadata = 100 * time.Millisecond

// FetchBytes bounds one fetch from one broker.
const FetchBytes = 16 << 20

// A TopicPartition names one partition of a topic.
type TopicPartition struct {
	Topic     string
	Partition int32
}

// Compare orders by topic, then by partition.
func (tp TopicPartition) Compare(o TopicPartition) int {
	return cmp.Or(cmp.Compare(tp.Topic, o.Topic), cmp.Compare(tp.Partition, o.Partition))
}

// A Fetcher reads the source partitions of a worker's tasks from the offsets it
// is told, and nothing else: it knows no group and no committed offset. Only
// the goroutine that made it uses it, so a partition that was removed or moved
// never shows again from its old place.
type Fetcher struct {
	Client *kgo.Client // for requests of others too, until Close
	waker  *Waker
}

// NewFetcher opens the reading client. The options are those of all connections;
// the waker ends a Poll that waits. It does not connect.
func NewFetcher(opts []kgo.Opt, w *Waker) (*Fetcher, error) {
	client, err := kgo.NewClient(append(opts[:len(opts):len(opts)],
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.KeepControlRecords(), // positions step over markers
		kgo.ConsumeResetOffset(kgo.NoResetOffset()),
		kgo.FetchMaxWait(FetchWait),
		kgo.FetchMaxBytes(FetchBytes),
		kgo.MetadataMinAge(fetchMetadata),
		kgo.WithPools(new(recordPool)),
	)...)
	if err != nil {
		return nil, fmt.Errorf("open the reading client: %w", err)
	}
	if pools := reflect.ValueOf(client.OptValue(kgo.WithPools)); pools.Len() != 1 {
		client.Close()
		return nil, errors.New("open the reading client: kgo.WithPools cannot be among the client's options: the runtime has pools of its own")
	}
	return &Fetcher{Client: client, waker: w}, nil
}

// Seek lets the partition be read from offset on, wherever it was before.
func (f *Fetcher) Seek(tp TopicPartition, offset int64) {
	f.Remove(tp)
	f.Client.AddConsumePartitions(map[string]map[int32]kgo.Offset{
		tp.Topic: {tp.Partition: kgo.NewOffset().At(offset)},
	})
}

// Remove ends the reading of the partition. One that is not read is left alone.
func (f *Fetcher) Remove(tp TopicPartition) {
	parts := map[string][]int32{tp.Topic: {tp.Partition}}
	f.Client.ResumeFetchPartitions(parts)
	f.Client.RemoveConsumePartitions(map[string][]int32{tp.Topic: {tp.Partition}})
}

// Pause lets no more of the partition be fetched; what was fetched already still
// comes.
func (f *Fetcher) Pause(tp TopicPartition) {
	f.Client.PauseFetchPartitions(map[string][]int32{tp.Topic: {tp.Partition}})
}

// Resume lets the partition be fetched again, from where it was paused.
func (f *Fetcher) Resume(tp TopicPartition) {
	f.Client.ResumeFetchPartitions(map[string][]int32{tp.Topic: {tp.Partition}})
}

// Poll hands what was fetched to a Reader, one partition at a time: all of it, at
// most FetchBytes from each broker, for the client asks for more only when
// nothing is left. When there is nothing it waits, but not past until, not after
// the waker, and not at all if something is pending once the waker is armed.
//
// It returns what went wrong with single partitions; the others are not touched
// by that.
func (f *Fetcher) Poll(ctx context.Context, until time.Time, pending func() bool, to Reader) []error {
	fetches := f.Client.PollFetches(nil) //nolint:staticcheck // nil means: do not wait
	if len(fetches) == 0 {
		fetches = f.wait(ctx, until, pending)
	}
	return deliver(fetches, to)
}

// A Reader is who gets what was fetched.
type Reader interface {
	// Reads reports whether it reads the partition; where that is -1, any of the
	// topic.
	Reads(tp TopicPartition) bool
	// Take gets the next records of a partition, at least one. They are the
	// Reader's from then on. An error is one of this partition only.
	Take(tp TopicPartition, records []*kgo.Record) error
}

// deliver hands all records over, also those beside a partition that failed: the
// client has moved on and will not bring them again. It keeps an error, though,
// until somebody polls: it may be of a partition that is not read any more.
func deliver(fetches kgo.Fetches, to Reader) (errs []error) {
	fetches.EachPartition(func(p kgo.FetchTopicPartition) {
		tp := TopicPartition{p.Topic, p.Partition}
		if len(p.Records) > 0 {
			if err := to.Take(tp, p.Records); err != nil {
				errs = append(errs, err)
			}
		}
		if p.Err != nil && concerns(to, tp, p.Err) {
			if err := fetchError(p); err != nil {
				errs = append(errs, err)
			}
		}
	})
	return errs
}

// concerns leaves out errors of what is not read any more. The client reports
// what is wrong with a topic as a thing of one of its partitions, whichever.
func concerns(to Reader, tp TopicPartition, err error) bool {
	var lost *kgo.ErrDataLoss
	if !errors.As(err, &lost) && !errors.Is(err, kerr.OffsetOutOfRange) {
		tp.Partition = -1
	}
	return tp.Topic == "" || to.Reads(tp)
}

func (f *Fetcher) wait(ctx context.Context, until time.Time, pending func() bool) kgo.Fetches {
	ctx, disarm := f.waker.Arm(ctx)
	defer disarm()
	ctx, cancel := context.WithDeadline(ctx, until)
	defer cancel()
	if pending() {
		return nil
	}
	return f.Client.PollFetches(ctx)
}

// Close closes the client, for all who send requests through it.
func (f *Fetcher) Close() { f.Client.Close() }
