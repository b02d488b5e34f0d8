package worker

import (
	"context"
	"math"
	"time"
)

// How often the ends of partitions that may be idle are asked, and how long the
// answer may take.
const (
	askInterval = time.Second
	askTimeout  = time.Second
)

// tick tells the tasks the wall clock, and where the inputs end that wait for
// records and have a rule for idle partitions. The end is asked afresh, after
// everything that came was processed: only so it proves that nothing is there.
func (w *Worker) tick(ctx context.Context) error {
	now := w.cfg.Now().UnixMilli()
	for l := range w.running() {
		if err := l.task.Tick(now); err != nil {
			return err
		}
	}
	if time.Since(w.lastEnds) < askInterval {
		return nil
	}
	w.lastEnds = time.Now()
	quiet := w.quiet()
	if len(quiet) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	asked := w.cfg.Now().UnixMilli() // what comes while the question is on its way is not proved away
	ends, err := logEnd.offsets(ctx, w.fetcher.client, quiet)
	if err != nil { // a partition is not idle until it is proved
		return nil
	}
	for _, tp := range quiet {
		r := w.routes[tp]
		if err := r.lease.task.AtEnd(r.input, ends[tp], asked); err != nil {
			return err
		}
	}
	return nil
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
