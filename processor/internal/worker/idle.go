package worker

import (
	"context"
	"math"
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

// moment is now.
func (w *Worker) moment() task.Moment {
	return task.Moment{Wall: w.cfg.Now().UnixMilli(), Elapsed: w.cfg.Elapsed().Milliseconds()}
}

// tick tells the tasks that time passes, and where the inputs end that wait for
// records and have a rule for idle partitions.
func (w *Worker) tick(ctx context.Context) error {
	elapsed := w.moment().Elapsed
	for l := range w.running() {
		if err := l.task.Tick(elapsed); err != nil {
			if err := w.failed(ctx, l, err); err != nil {
				return err
			}
		}
	}
	if a, ok := w.ends.Answer(); ok {
		return w.hearEnds(ctx, a)
	}
	w.ask(ctx)
	return nil
}

// ask sends for the ends of all partitions where they are worth it, unless that
// was done a moment ago, or the last answer is still to come.
func (w *Worker) ask(ctx context.Context) {
	if w.ends.UnderWay() || time.Now().Before(w.nextAsk) {
		return
	}
	w.nextAsk = time.Now().Add(askInterval)
	a := answer{asked: w.moment()}
	if a.parts, a.stood = w.quiet(); len(a.parts) == 0 {
		return
	}
	client := w.fetcher.Client
	w.ends.Start(&w.waker, func() answer {
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

// quiet lists the partitions whose end is worth asking for, and where their tasks
// are in them.
func (w *Worker) quiet() (parts []broker.TopicPartition, stood []int64) {
	for l := range w.running() {
		for i := range l.Inputs {
			if l.task.WantsEnd(i) {
				parts = append(parts, l.Inputs[i].TopicPartition)
				stood = append(stood, l.task.Position(i))
			}
		}
	}
	return parts, stood
}

// align tells the tasks what time it is, and how far the slowest of the worker's
// aligned partitions is that can go on, so that the others do not run ahead of it
// by more than their sources allow.
func (w *Worker) align(now task.Moment) {
	lowest := int64(math.MaxInt64)
	for l := range w.running() {
		l.task.Elapse(now.Elapsed)
		lowest = min(lowest, l.task.Lowest(now.Wall))
	}
	for l := range w.running() {
		l.task.Align(lowest)
	}
}
