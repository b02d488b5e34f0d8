package worker

import (
	"context"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// How much is read ahead: everything that the client has is taken at once, so
// that it fetches on meanwhile, and waits in the leases. What waits is bounded by
// records for each partition, and by bytes for all of them together.

// busyPoll is how long a worker may process what it has before it looks whether
// more was fetched. It takes everything then, and the client fetches the next
// while that is processed.
const busyPoll = 50 * time.Millisecond

// poll takes what was fetched, unless there is still enough to do.
func (w *Worker) poll(ctx context.Context) error {
	if w.busy && (time.Since(w.lastPoll) < busyPoll || w.waitingBytes() >= w.cfg.QueueBytes) {
		return nil
	}
	w.regulate()
	for _, err := range w.fetcher.poll(ctx, w.wakeAt(), w.pending, w) {
		if err := w.outrun(ctx, err); err != nil {
			return err
		}
	}
	w.lastPoll = time.Now()
	return nil
}

// regulate pauses the partitions of which too much waits, and reads on where
// half of that is left.
func (w *Worker) regulate() {
	share := w.queueShare()
	for l := range w.running() {
		for i := range l.inputs {
			switch in, n, bytes := &l.inputs[i], l.waiting(i), l.waitingBytes(i); {
			case !in.paused && (n >= w.cfg.QueueRecords || bytes >= share):
				in.paused = true
				w.fetcher.pause(in.topicPartition)
			case in.paused && n <= w.cfg.QueueRecords/2 && bytes <= share/2:
				in.paused = false
				w.fetcher.resume(in.topicPartition)
			}
		}
	}
}

// waitingBytes is the memory of everything that was fetched and waits.
func (w *Worker) waitingBytes() (n int) {
	for l := range w.running() {
		for i := range l.inputs {
			n += l.waitingBytes(i)
		}
	}
	return n
}

// queueShare is how many bytes of one partition may wait: all have an equal part.
func (w *Worker) queueShare() int {
	n := 0
	for l := range w.running() {
		n += len(l.inputs)
	}
	return max(w.cfg.QueueBytes/max(n, 1), 1)
}

// reads implements reader.
func (w *Worker) reads(tp topicPartition) bool {
	for read := range w.routes {
		if read.topic == tp.topic && (tp.partition < 0 || read.partition == tp.partition) {
			return true
		}
	}
	return false
}

// take implements reader: it hands fetched records to the lease of their task.
func (w *Worker) take(tp topicPartition, records []*kgo.Record) error {
	r, ok := w.routes[tp]
	if !ok {
		return fmt.Errorf("topic %q partition %d: records arrived that no task reads", tp.topic, tp.partition)
	}
	r.lease.take(r.input, records)
	return nil
}
