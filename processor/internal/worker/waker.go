package worker

import (
	"context"
	"sync/atomic"
)

// A waker lets other goroutines end the poll in which the worker sleeps. What
// they have to say is put into a channel first; the worker looks at the
// channels after it has armed the waker and before it sleeps, so nothing is
// overslept.
type waker struct {
	cancel atomic.Pointer[context.CancelFunc]
}

// wake may be called by anyone, at any time.
func (w *waker) wake() {
	if c := w.cancel.Load(); c != nil {
		(*c)()
	}
}

// arm returns a context that wake ends. The caller disarms it.
func (w *waker) arm(ctx context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancel(ctx)
	w.cancel.Store(&cancel)
	return ctx, func() {
		w.cancel.Store(nil)
		cancel()
	}
}
