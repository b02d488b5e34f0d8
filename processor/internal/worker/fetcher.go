package worker

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// fetchWait is how long the broker holds back an answer without data. A
// partition that is added waits for it at most.
const fetchWait = 250 * time.Millisecond

// fetchMetadata is how soon after another the client may look for moved
// leaders.
const fetchMetadata = 100 * time.Millisecond

// fetchBytes bounds one fetch from one broker.
const fetchBytes = 16 << 20

type topicPartition struct {
	topic     string
	partition int32
}

// A fetcher reads the source partitions of the worker's tasks from the offsets
// it is told, and nothing else: it knows no group and no committed offset. Only
// the worker's goroutine uses it, so a partition that was removed or moved
// never shows again from its old place.
type fetcher struct {
	client *kgo.Client
	waker  *waker
}

func newFetcher(opts []kgo.Opt, w *waker) (*fetcher, error) {
	client, err := kgo.NewClient(append(opts[:len(opts):len(opts)],
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.KeepControlRecords(), // positions step over markers
		kgo.ConsumeResetOffset(kgo.NoResetOffset()),
		kgo.FetchMaxWait(fetchWait),
		kgo.FetchMaxBytes(fetchBytes),
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
	return &fetcher{client: client, waker: w}, nil
}

// seek makes the partition be read from offset on, wherever it was before.
func (f *fetcher) seek(tp topicPartition, offset int64) {
	f.remove(tp)
	f.client.AddConsumePartitions(map[string]map[int32]kgo.Offset{
		tp.topic: {tp.partition: kgo.NewOffset().At(offset)},
	})
}

func (f *fetcher) remove(tp topicPartition) {
	parts := map[string][]int32{tp.topic: {tp.partition}}
	f.client.ResumeFetchPartitions(parts)
	f.client.RemoveConsumePartitions(map[string][]int32{tp.topic: {tp.partition}})
}

func (f *fetcher) pause(tp topicPartition) {
	f.client.PauseFetchPartitions(map[string][]int32{tp.topic: {tp.partition}})
}

func (f *fetcher) resume(tp topicPartition) {
	f.client.ResumeFetchPartitions(map[string][]int32{tp.topic: {tp.partition}})
}

// poll hands what was fetched to take, one partition at a time: all of it, at
// most fetchBytes from each broker, for the client asks for more only when
// nothing is left. When there is nothing it waits, but not past until, not after
// the waker, and not at all if something is pending once the waker is armed.
//
// It returns what went wrong with single partitions; the others are not touched
// by that.
func (f *fetcher) poll(ctx context.Context, until time.Time, pending func() bool, to reader) []error {
	fetches := f.client.PollFetches(nil) //nolint:staticcheck // nil means: do not wait
	if len(fetches) == 0 {
		fetches = f.wait(ctx, until, pending)
	}
	return deliver(fetches, to)
}

// A reader is who gets what was fetched.
type reader interface {
	// reads says whether it reads the partition; where that is -1, any of the topic.
	reads(tp topicPartition) bool
	take(tp topicPartition, records []*kgo.Record) error
}

// deliver hands all records over, also those beside a partition that failed: the
// client has moved on and will not bring them again. It keeps an error, though,
// until somebody polls: it may be of a partition that is not read any more.
func deliver(fetches kgo.Fetches, to reader) (errs []error) {
	fetches.EachPartition(func(p kgo.FetchTopicPartition) {
		tp := topicPartition{p.Topic, p.Partition}
		if len(p.Records) > 0 {
			if err := to.take(tp, p.Records); err != nil {
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
func concerns(to reader, tp topicPartition, err error) bool {
	var lost *kgo.ErrDataLoss
	if !errors.As(err, &lost) && !errors.Is(err, kerr.OffsetOutOfRange) {
		tp.partition = -1
	}
	return tp.topic == "" || to.reads(tp)
}

func (f *fetcher) wait(ctx context.Context, until time.Time, pending func() bool) kgo.Fetches {
	ctx, disarm := f.waker.arm(ctx)
	defer disarm()
	ctx, cancel := context.WithDeadline(ctx, until)
	defer cancel()
	if pending() {
		return nil
	}
	return f.client.PollFetches(ctx)
}

// fetchError returns nil for what is not an error or heals by itself.
func fetchError(p kgo.FetchTopicPartition) error {
	tp, err := topicPartition{p.Topic, p.Partition}, p.Err
	var lost *kgo.ErrDataLoss
	switch {
	case damaged(p):
		return &damagedError{tp, err}
	case errors.Is(err, kerr.OffsetOutOfRange):
		return &goneError{tp, err}
	case errors.As(err, &lost):
		return fmt.Errorf("topic %q partition %d: the log was cut off below the task's position: %w: %w", tp.topic, tp.partition, err, ErrReset)
	case errors.Is(err, kerr.UnknownTopicID): // shown only after the client has waited for the brokers to agree
		return fmt.Errorf("topic %q was deleted, or made anew, while it was read, and its offsets mean nothing in a new one: %w: %w", tp.topic, err, ErrReset)
	case permanent(err):
		return fmt.Errorf("read topic %q partition %d: %w", tp.topic, tp.partition, err)
	case heals(err):
		return nil
	}
	return &troubledError{tp, err}
}

// A goneError says that the log begins behind the position of a task.
type goneError struct {
	topicPartition
	err error
}

func (e *goneError) Error() string {
	return fmt.Sprintf("topic %q partition %d: the records at the task's position are gone, by retention or because the topic was made anew: %v: %v", e.topic, e.partition, e.err, ErrReset)
}

func (e *goneError) Unwrap() []error { return []error{e.err, ErrReset} }

func (f *fetcher) close() { f.client.Close() }
