package engine

import (
	"fmt"
	"time"
)

// Pebble makes a writer wait while flushes or compactions lag behind. When these fail, because the disk is full or
// broken, it tries them again for ever, and the writer waits for ever, with all that wants the writer's lock: the next
// flush, and Close. So the engine waits for whatever comes first, Pebble or its own failure. What does not return
// after a failure is left behind, and the database stays open behind it until there is space again: only then, or with
// the end of the process, may its directory be opened once more.

// leaveAfter is how long a call may still take once the engine has failed: one that only lags behind comes back.
const leaveAfter = 10 * time.Second

// wait runs a call that Pebble may make wait. If the engine fails and the call does not return, wait does, with the
// failure.
func (e *pebbleEngine) wait(call func() error) error {
	var err error
	done := make(chan struct{})
	go func() {
		err = call()
		close(done)
	}()
	select {
	case <-done:
		return err
	case <-e.down:
	}
	select {
	case <-done:
		return err
	case <-time.After(leaveAfter):
		e.left = done
		return *e.failed.Load()
	}
}

// Close implements Engine.
func (e *pebbleEngine) Close() error {
	e.finder.forget()
	if e.left == nil {
		return e.closeNow()
	}
	select {
	case <-e.left:
		return e.closeNow()
	default:
	}
	e.shared.left.Store(e.dir, struct{}{})
	go func() {
		<-e.left
		_ = e.closeNow() // there is nobody to tell any more
		e.shared.left.Delete(e.dir)
	}()
	return fmt.Errorf("close %s: a write still waits for the disk, and keeps the database open until there is space or "+
		"the process ends: %w", e.dir, *e.failed.Load())
}

func (e *pebbleEngine) closeNow() error {
	e.shared.open.Add(-1)
	if err := e.db.Close(); err != nil {
		return fmt.Errorf("close %s: %w", e.dir, classify(err))
	}
	return nil
}
