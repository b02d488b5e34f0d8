package worker

import (
	"errors"
	"fmt"
	"time"

	"github.com/millrace/millrace/processor/internal/broker"
)

// readSilence is how long no more is said of a partition that cannot be read.
const readSilence = 10 * time.Second

// unreadable answers a failed read of records that are not gone.
func (w *Worker) unreadable(err error) error {
	var trouble *broker.TroubledError
	if errors.As(err, &trouble) {
		w.warnOf(trouble)
		return nil
	}
	var damage *broker.DamagedError
	if errors.As(err, &damage) {
		if r, ok := w.routes[damage.TopicPartition]; ok {
			return fmt.Errorf("task %s, behind offset %d: %w", r.lease.id, r.lease.inputs[r.input].polled, err)
		}
	}
	return err
}

// warnOf passes on that a partition cannot be read, but not each time the client
// has tried. There is one entry for each partition at most.
func (w *Worker) warnOf(e *broker.TroubledError) {
	now := w.cfg.Elapsed()
	if said, ok := w.unread[e.TopicPartition]; ok && now-said < readSilence {
		return
	}
	if w.unread == nil {
		w.unread = map[broker.TopicPartition]time.Duration{}
	}
	w.unread[e.TopicPartition] = now
	w.cfg.Events.warning(e)
}
