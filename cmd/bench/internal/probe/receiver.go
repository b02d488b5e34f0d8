package probe

import (
	"context"
	"errors"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/millrace/millrace/cmd/bench/internal/meter"
)

// receiverGlance is how long the receiver waits for records before it looks whether it
// is to end.
const receiverGlance = 200 * time.Millisecond

// A receiver notes when each record comes.
type receiver struct {
	schedule
	seen               []bool
	received, repeated int64
	delay              meter.Delays
	last               time.Time // when something came
}

func newReceiver(s schedule) *receiver {
	return &receiver{schedule: s, seen: make([]bool, s.total), delay: make(meter.Delays, 0, s.total-s.from), last: time.Now()}
}

// run returns when everything is sent and either all of it has come, or none for the
// drain time.
func (r *receiver) run(ctx context.Context, cl *kgo.Client, s *sender, drain time.Duration) error {
	for {
		wait, cancel := context.WithTimeout(ctx, receiverGlance)
		fetches := cl.PollFetches(wait)
		cancel()
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := fetches.Err(); err != nil && !errors.Is(err, context.DeadlineExceeded) {
			return err
		}
		now := time.Now()
		fetches.EachRecord(func(rec *kgo.Record) { r.note(rec, now) })
		select {
		case <-s.ended:
			if s.err != nil || r.received >= s.expected || now.Sub(r.last) > drain {
				return nil
			}
		default:
		}
	}
}

func (r *receiver) note(rec *kgo.Record, now time.Time) {
	r.last = now
	seq, ok := number(rec)
	switch {
	case !ok || seq < 0 || seq >= r.total:
	case r.seen[seq]:
		r.repeated++
	default:
		r.seen[seq] = true
		r.received++
		if seq >= r.from {
			r.delay = append(r.delay, now.Sub(r.due(seq)))
		}
	}
}
