package worker

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// A troubledError says that a partition cannot be read, for a reason that is
// none of those that pass by themselves (heals) nor of those that end the worker
// (permanent). The client tries again, perhaps for ever and as fast as the broker
// answers, and says nothing to anyone; so the worker does.
//
// Where the partition is -1 it is all of the topic, and where there is no topic
// it is what one of the brokers has.
type troubledError struct {
	topicPartition
	err error
}

func (e *troubledError) Error() string {
	switch {
	case e.topic == "":
		return fmt.Sprintf("the records a broker sends cannot be read: %v; the client tries again; if kgo.BrokerMaxReadBytes is among its options, raise it", e.err)
	case e.partition < 0:
		return fmt.Sprintf("topic %q cannot be read: %v; the client tries again; if this stays, look into the logs of the brokers", e.topic, e.err)
	}
	return fmt.Sprintf("topic %q partition %d cannot be read: %v; the client tries again; if this stays, look into the log of the broker that leads the partition", e.topic, e.partition, e.err)
}

func (e *troubledError) Unwrap() error { return e.err }

// A damagedError says that records arrived and cannot be decoded. The client asks
// for the same ones for ever, or steps over them in silence, so the worker ends.
type damagedError struct {
	topicPartition
	err error
}

func (e *damagedError) Error() string {
	next := "look at the log with `kafka-dump-log.sh`, make a replica the leader whose copy is whole, and start again"
	if errors.Is(e.err, kgo.ErrMaxDecompress) {
		next = "raise kgo.MaxDecompressBatchBytes among the client's options, and start again"
	}
	return fmt.Sprintf("topic %q partition %d: records arrived that cannot be decoded: %v; %s", e.topic, e.partition, e.err, next)
}

func (e *damagedError) Unwrap() []error { return []error{e.err, errPermanent} }

// damaged says that an error comes from the decoding of what a broker sent. The
// client has no names for these; what tells them apart is that they lie in an
// answer with data, which says where the log ends, and are not the broker's own.
func damaged(p kgo.FetchTopicPartition) bool {
	var said *kerr.Error
	return p.HighWatermark > 0 && !errors.As(p.Err, &said)
}

// heals says that the client gets over an error by itself: leaders and brokers
// come and go.
func heals(err error) bool {
	return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, kgo.ErrClientClosed) ||
		kerr.IsRetriable(err) || kgo.IsRetryableBrokerErr(err)
}

// readSilence is how long no more is said of a partition that cannot be read.
const readSilence = 10 * time.Second

// unreadable answers a failed read of records that are not gone.
func (w *Worker) unreadable(err error) error {
	var trouble *troubledError
	if errors.As(err, &trouble) {
		w.warnOf(trouble)
		return nil
	}
	var damage *damagedError
	if errors.As(err, &damage) {
		if r, ok := w.routes[damage.topicPartition]; ok {
			return fmt.Errorf("task %s, behind offset %d: %w", r.lease.id, r.lease.inputs[r.input].polled, err)
		}
	}
	return err
}

// warnOf passes on that a partition cannot be read, but not each time the client
// has tried. There is one entry for each partition at most.
func (w *Worker) warnOf(e *troubledError) {
	now := w.cfg.Elapsed()
	if said, ok := w.unread[e.topicPartition]; ok && now-said < readSilence {
		return
	}
	if w.unread == nil {
		w.unread = map[topicPartition]time.Duration{}
	}
	w.unread[e.topicPartition] = now
	w.cfg.Events.warning(e)
}
