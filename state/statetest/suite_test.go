package statetest_test

import (
	"testing"
	"testing/synctest"

	"github.com/millrace/millrace/state"
	"github.com/millrace/millrace/state/statetest"
)

func TestMemory(t *testing.T) {
	statetest.Run(t, func(*testing.T) state.Storage { return state.NewMemory() })
}

func TestDisk(t *testing.T) {
	statetest.Run(t, func(t *testing.T) state.Storage {
		d, err := state.OpenDisk(t.TempDir(), "suite", state.DiskOptions{MemtableBytes: 256 << 10, OverlayBytes: 4 << 10})
		if err != nil {
			t.Fatal(err)
		}
		return d
	})
}

func TestCrashable(t *testing.T) {
	statetest.Run(t, func(*testing.T) state.Storage { return statetest.NewCrashable() })
}

// In a bubble all goroutines of Pebble must be gone at the end, and none may wait for anything outside.
func TestCrashableInBubble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		statetest.Play(t, statetest.NewCrashable(), 1000, 1000)
	})
}
