package broker

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
)

// What cannot heal is told at once, what can is repeated until it does.
func TestRetry(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	for _, err := range []error{kerr.TopicAuthorizationFailed, kerr.MessageTooLarge, ErrPermanent} {
		tries := 0
		got := Retry(ctx, nil, func(context.Context) error { tries++; return err })
		if tries != 1 || !errors.Is(got, err) {
			t.Errorf("%v: %d tries, %v", err, tries, got)
		}
	}
	tries, complaints := 0, 0
	err := Retry(ctx, func(error) { complaints++ }, func(context.Context) error {
		if tries++; tries < 4 {
			return kerr.NotCoordinator
		}
		return nil
	})
	if err != nil || tries != 4 || complaints != 3 {
		t.Errorf("%d tries, %d complaints, %v", tries, complaints, err)
	}
	ended, cancelled := context.WithCancel(ctx)
	cancelled()
	if err := Retry(ended, nil, func(context.Context) error { return kerr.NotCoordinator }); !errors.Is(err, context.Canceled) {
		t.Errorf("after the end: %v", err)
	}
}
