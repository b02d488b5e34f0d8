package worker

import (
	"strings"
	"testing"
	"time"
)

// TestMaxTaskIdleIsNotRoundedToZero: 0 waits for what is known to be on the
// broker, which is neither "not at all" nor "a little".
func TestMaxTaskIdleIsNotRoundedToZero(t *testing.T) {
	for given, want := range map[time.Duration]int64{
		-time.Second: -1000, -time.Millisecond: -1, -1: -1, 0: 0, 1: 1, time.Millisecond: 1, time.Second: 1000,
	} {
		if got := (&Config{MaxTaskIdle: given}).maxIdle(); got != want {
			t.Errorf("%v is %d ms, want %d", given, got, want)
		}
	}
}

// TestAnIntervalTooLongToBeDoubled: twice the longest duration is negative.
func TestAnIntervalTooLongToBeDoubled(t *testing.T) {
	c := Config{CommitInterval: 1<<63 - 1, TransactionTimeout: time.Minute}
	c.setDefaults()
	if err := c.validate(); err == nil || !strings.Contains(err.Error(), "transaction timeout 1m0s is below twice the commit interval") {
		t.Errorf("no complaint: %v", err)
	}
}
