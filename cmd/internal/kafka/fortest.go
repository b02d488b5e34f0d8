package kafka

import (
	"context"
	"errors"
	"os"
	"testing"
	"time"
)

// stopTimeout bounds an orderly shutdown at the end of a test.
const stopTimeout = 30 * time.Second

// ForTest starts a broker that stops when the test ends. Where no broker can run
// it skips the test and prints the reason; with REQUIRE_KAFKA=1 in the
// environment that is a failure.
func ForTest(t testing.TB, opt Options) *Broker {
	t.Helper()
	b, err := Start(t.Context(), opt)
	switch {
	case errors.Is(err, ErrUnavailable) && os.Getenv("REQUIRE_KAFKA") != "1":
		t.Skipf("skipped: %v", err)
	case err != nil:
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
		defer cancel()
		if err := b.Stop(ctx); err != nil {
			t.Error(err)
		}
	})
	return b
}
