package worker

import (
	"context"
	"time"

	"github.com/millrace/millrace/processor/internal/broker"
	"github.com/millrace/millrace/processor/internal/task"
)

// How often the ends of partitions that may be idle are asked, and how long the
// answer may take.
const (
	askInterval = time.Second
	askTimeout  = 5 * time.Second
)

// An answer says where partitions end.
type answer struct {
	asked task.Moment // before the question was sent: what came after it is not proved away
	parts []broker.TopicPartition
	stood []int64                         // where the tasks were in them then
	ends  map[broker.TopicPartition]int64 // none if the brokers did not say: a partition is not idle until it is proved
}

// tick tells the tasks that time passes, and where the inputs end that wait for
// records and have a rule for idle partitions.
func (w *Worker) tick(ctx context.Context) error {
	elapsed := w.cfg.moment().Elapsed
	for l := range w.leases.running() {
		if err := l.task.Tick(elapsed); err != nil {
			if err := w.failed(ctx, l, err); err != nil {
				return err
			}
		}
	}
	if a, ok := w.ends.Answer(); ok {
		return w.hearEnds(ctx, a)
	}
	w.ends.ask(ctx, &w.cfg, &w.leases, w.fetcher, &w.waker)
	return nil
}

// An endsRequest asks where partitions end, beside the loop.
type endsRequest struct {
	broker.AsyncRequest[answer]
	next time.Time // not before
}

// ask sends for the ends of all partitions where they are worth it, unless that
// was done a moment ago, or the last answer is still to come.
func (r *endsRequest) ask(ctx context.Context, cfg *Config, leases *leases, fetcher *broker.Fetcher, waker *broker.Waker) {
	if r.UnderWay() || time.Now().Before(r.next) {
		return
	}
	r.next = time.Now().Add(askInterval)
	a := answer{asked: cfg.moment()}
	if a.parts, a.stood = leases.quiet(); len(a.parts) == 0 {
		return
	}
	client := fetcher.Client
	r.Start(waker, func() answer {
		ctx, cancel := context.WithTimeout(ctx, askTimeout)
		defer cancel()
		a.ends, _ = broker.LogEnd.Ask(ctx, client, a.parts)
		return a
	})
}

// hearEnds tells the tasks where their inputs ended. Only the end asked afresh, after
// everything that came was processed, proves that nothing is there: an input that
// has moved since is asked for again.
func (w *Worker) hearEnds(ctx context.Context, a answer) error {
	for i, tp := range a.parts {
		end, told := a.ends[tp]
		r, read := w.routes[tp]
		if !told || !read || r.lease.task.Position(r.input) != a.stood[i] {
			continue
		}
		if err := r.lease.task.AtEnd(r.input, end, a.asked); err != nil {
			if err := w.failed(ctx, r.lease, err); err != nil {
				return err
			}
		}
	}
	return nil
}
