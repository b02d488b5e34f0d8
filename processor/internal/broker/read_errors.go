package broker

import (
	"context"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// A TroubledError says that a partition cannot be read, for a reason that is
// none of those that pass by themselves (heals) nor of those that end the worker
// (Permanent). The client tries again, perhaps for ever and as fast as the broker
// answers, and says nothing to anyone; so the worker does.
//
// Where the partition is -1 it is all of the topic, and where there is no topic
// it is what one of the brokers has.
type TroubledError struct {
	TopicPartition
	Err error // of the client or the broker
}

func (e *TroubledError) Error() string {
	switch {
	case e.Topic == "":
		return fmt.Sprintf("the records a broker sends cannot be read: %v; the client tries again; if kgo.BrokerMaxReadBytes is among its options, raise it", e.Err)
	case e.Partition < 0:
		return fmt.Sprintf("topic %q cannot be read: %v; the client tries again; if this stays, look into the logs of the brokers", e.Topic, e.Err)
	}
	return fmt.Sprintf("topic %q partition %d cannot be read: %v; the client tries again; if this stays, look into the log of the broker that leads the partition", e.Topic, e.Partition, e.Err)
}

func (e *TroubledError) Unwrap() error { return e.Err }

// A DamagedError says that records arrived and cannot be decoded. The client asks
// for the same ones for ever, or steps over them in silence, so the worker ends.
type DamagedError struct {
	TopicPartition
	err error
}

func (e *DamagedError) Error() string {
	next := "look at the log with `kafka-dump-log.sh`, make a replica the leader whose copy is whole, and start again"
	if errors.Is(e.err, kgo.ErrMaxDecompress) {
		next = "raise kgo.MaxDecompressBatchBytes among the client's options, and start again"
	}
	return fmt.Sprintf("topic %q partition %d: records arrived that cannot be decoded: %v; %s", e.Topic, e.Partition, e.err, next)
}

func (e *DamagedError) Unwrap() []error { return []error{e.err, ErrPermanent} }

// damaged reports whether an error comes from the decoding of what a broker sent. The
// client has no names for these; what tells them apart is that they lie in an
// answer with data, which says where the log ends, and are not the broker's own.
func damaged(p kgo.FetchTopicPartition) bool {
	var said *kerr.Error
	return p.HighWatermark > 0 && !errors.As(p.Err, &said)
}

// heals reports whether the client gets over an error by itself: leaders and brokers
// come and go.
func heals(err error) bool {
	return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, kgo.ErrClientClosed) ||
		kerr.IsRetriable(err) || kgo.IsRetryableBrokerErr(err)
}

// A GoneError says that the log begins after the offset that is read. The caller
// decides what that means; ErrReset is in it.
type GoneError struct {
	TopicPartition
	err error
}

func (e *GoneError) Error() string {
	return fmt.Sprintf("topic %q partition %d: the records at the task's position are gone, by retention or because the topic was made anew: %v: %v", e.Topic, e.Partition, e.err, ErrReset)
}

func (e *GoneError) Unwrap() []error { return []error{e.err, ErrReset} }

// fetchError returns nil for what is not an error or heals by itself.
func fetchError(p kgo.FetchTopicPartition) error {
	tp, err := TopicPartition{p.Topic, p.Partition}, p.Err
	var lost *kgo.ErrDataLoss
	switch {
	case damaged(p):
		return &DamagedError{tp, err}
	case errors.Is(err, kerr.OffsetOutOfRange):
		return &GoneError{tp, err}
	case errors.As(err, &lost):
		return fmt.Errorf("topic %q partition %d: the log was cut off below the task's position: %w: %w", tp.Topic, tp.Partition, err, ErrReset)
	case errors.Is(err, kerr.UnknownTopicID): // shown only after the client has waited for the brokers to agree
		return fmt.Errorf("topic %q was deleted, or made anew, while it was read, and its offsets mean nothing in a new one: %w: %w", tp.Topic, err, ErrReset)
	case Permanent(err):
		return fmt.Errorf("read topic %q partition %d: %w", tp.Topic, tp.Partition, err)
	case heals(err):
		return nil
	}
	return &TroubledError{tp, err}
}
