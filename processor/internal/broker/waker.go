package broker

import (
	"context"
	"sync/atomic"
)

// A Waker lets other goroutines end the poll in which the worker sleeps. What
// they have to say is put into a channel first; the worker looks at the
// channels after it has armed the waker and before it sleeps, so nothing is
// overslept.
type Waker struct {
	cancel atomic.Pointer[context.CancelFunc]
}

// Wake may be called by anyone, at any time.
func (w *Waker) Wake() {
	if c := w.cancel.Load(); c != nil {
		(*c)()
	}
}

// Arm returns a context that Wake ends. The caller disarms it.
func (w *Waker) Arm(ctx context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancel(ctx)
	w.cancel.Store(&cancel)
	return ctx, func() {
		w.cancel.Store(nil)
		cancel()
	}
}
