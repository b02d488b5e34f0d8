package broker

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
)

// The waits between two attempts.
const (
	// FirstPause is the wait after the first attempt.
	FirstPause   = 20 * time.Millisecond
	longestPause = time.Second
	// topicGrace is how long brokers may take to learn of a topic.
	topicGrace = 10 * time.Second
	// ConcurrentPause is the wait for the transaction before to be ended.
	ConcurrentPause = 2 * time.Millisecond
)

// Retry repeats do until it succeeds, fails for good, or ctx ends. Each failure
// that is going to be repeated is given to complain first, which may be nil.
func Retry(ctx context.Context, complain func(error), do func(context.Context) error) error {
	began := time.Now()
	for pause := FirstPause; ; pause = min(2*pause, longestPause) {
		err := do(ctx)
		if err == nil || Permanent(err) {
			return err
		}
		if errors.Is(err, kerr.UnknownTopicID) && time.Since(began) > topicGrace {
			return fmt.Errorf("the topic was deleted, or made anew, while the application ran: %w: %w", err, ErrReset)
		}
		if ctx.Err() != nil {
			return errors.Join(ctx.Err(), err)
		}
		if complain != nil {
			complain(err)
		}
		if !Sleep(ctx, pause) {
			return errors.Join(ctx.Err(), err)
		}
	}
}

// Sleep waits for d. It reports whether d passed before ctx ended.
func Sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
