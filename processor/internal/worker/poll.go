package worker

import (
	"context"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/millrace/millrace/processor/internal/broker"
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
	if w.busy && (time.Since(w.lastPoll) < busyPoll || w.leases.waitingBytes() >= w.cfg.QueueBytes) {
		return nil
	}
	w.leases.regulate(&w.cfg, w.fetcher)
	for _, err := range w.fetcher.Poll(ctx, w.wakeAt(), w.pending, w.routes) {
		if err := w.outrun(ctx, err); err != nil {
			return err
		}
	}
	w.lastPoll = time.Now()
	return nil
}

// regulate pauses the partitions of which too much waits, and reads on where
// half of that is left.
func (s *leases) regulate(cfg *Config, fetcher *broker.Fetcher) {
	share := max(cfg.QueueBytes/max(s.inputs(), 1), 1) // each has an equal part
	for l := range s.running() {
		for i := range l.queues {
			switch q, n, bytes := &l.queues[i], l.waiting(i), l.waitingBytes(i); {
			case !q.paused && (n >= cfg.QueueRecords || bytes >= share):
				q.paused = true
				fetcher.Pause(l.Inputs[i].TopicPartition)
			case q.paused && n <= cfg.QueueRecords/2 && bytes <= share/2:
				q.paused = false
				fetcher.Resume(l.Inputs[i].TopicPartition)
			}
		}
	}
}

// routes say who reads what: the fetcher's Reader.
type routes map[broker.TopicPartition]route

// A route says which task reads a partition, as which of its inputs.
type route struct {
	lease *lease
	input int
}

// Reads implements broker.Reader.
func (r routes) Reads(tp broker.TopicPartition) bool {
	for read := range r {
		if read.Topic == tp.Topic && (tp.Partition < 0 || read.Partition == tp.Partition) {
			return true
		}
	}
	return false
}

// Take implements broker.Reader: it hands fetched records to the lease of their task.
func (r routes) Take(tp broker.TopicPartition, records []*kgo.Record) error {
	to, ok := r[tp]
	if !ok {
		return fmt.Errorf("topic %q partition %d: records arrived that no task reads", tp.Topic, tp.Partition)
	}
	to.lease.take(to.input, records)
	return nil
}

// follow has a task's partitions read from where its inputs stand.
func (r routes) follow(l *lease, fetcher *broker.Fetcher) {
	for i := range l.Inputs {
		in := &l.Inputs[i]
		l.queues[i].rewind(in.Offset)
		if in.Finished {
			continue
		}
		r[in.TopicPartition] = route{l, i}
		fetcher.Seek(in.TopicPartition, in.Offset)
	}
}

// leave has a task's partitions read no more.
func (r routes) leave(l *lease, fetcher *broker.Fetcher) {
	for _, in := range l.Inputs {
		if _, ok := r[in.TopicPartition]; ok {
			delete(r, in.TopicPartition)
			fetcher.Remove(in.TopicPartition)
		}
	}
}
