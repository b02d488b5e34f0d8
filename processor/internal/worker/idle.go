package worker

import (
	"context"
	"math"
	"time"
)

// How often the ends of partitions that may be idle are asked, how long the
// answer may take, and for how many times as long as a question took in vain
// there is no other.
const (
	askInterval = time.Second
	askTimeout  = askInterval / 2
	askPause    = 10
)

// tick tells the tasks the wall clock, and where the inputs end that wait for
// records and have a rule for idle partitions. The end is asked afresh, after
// everything that came was processed: only so it proves that nothing is there.
func (w *Worker) tick(ctx context.Context) error {
	now := w.cfg.Now().UnixMilli()
	for l := range w.running() {
		if err := l.task.Tick(now); err != nil {
			if err := w.failed(ctx, l, err); err != nil {
				return err
			}
		}
	}
	if time.Now().Before(w.nextAsk) {
		return nil
	}
	w.nextAsk = time.Now().Add(askInterval)
	quiet := w.quiet()
	if len(quiet) == 0 {
		return nil
	}
	asked := w.cfg.Now().UnixMilli() // what comes while the question is on its way is not proved away
	ends, err := w.ask(ctx, quiet)
	if err != nil { // a partition is not idle until it is proved
		return nil
	}
	for _, tp := range quiet {
		r, ok := w.routes[tp]
		if !ok {
			continue // an answer to a failure before has taken its task
		}
		if err := r.lease.task.AtEnd(r.input, ends[tp], asked); err != nil {
			if err := w.failed(ctx, r.lease, err); err != nil {
				return err
			}
		}
	}
	return nil
}

// ask returns where partitions end. All tasks of the worker stand still until
// the answer is there, so one that is waited for in vain puts the next question
// off: a broker that hangs must not hold up the tasks that have nothing to do with
// it. One that says at once that it does not know is asked again soon.
func (w *Worker) ask(ctx context.Context, parts []topicPartition) (map[topicPartition]int64, error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	began := time.Now()
	ends, err := logEnd.offsets(ctx, w.fetcher.client, parts)
	if err != nil {
		w.nextAsk = time.Now().Add(max(askInterval, askPause*time.Since(began)))
	}
	return ends, err
}

// quiet lists the partitions whose end is worth asking for.
func (w *Worker) quiet() (parts []topicPartition) {
	for l := range w.running() {
		for i := range l.inputs {
			if l.task.WantsEnd(i) {
				parts = append(parts, l.inputs[i].topicPartition)
			}
		}
	}
	return parts
}

// align tells the tasks how far the slowest of the worker's aligned partitions
// is, so that the others do not run ahead of it by more than their sources
// allow.
func (w *Worker) align() {
	lowest := int64(math.MaxInt64)
	for l := range w.running() {
		lowest = min(lowest, l.task.Lowest())
	}
	for l := range w.running() {
		l.task.Align(lowest)
	}
}
