package worker

// An errand is something asked of the brokers that no task has to wait for. It is
// done beside the worker's goroutine, since a broker that hangs must not hold up
// the tasks that have nothing to do with it: a request waits behind the dialing of
// its connection, whatever its own context says.
//
// Always: one at a time, and none outlives the client that it asks by more than
// the client takes to be closed.
type errand[T any] struct {
	out  chan T // holds one, so that nobody waits to hand it over
	away bool
}

// run starts the errand, which must not be away. The worker is woken when it is back.
func (e *errand[T]) run(w *waker, do func() T) {
	if e.out == nil {
		e.out = make(chan T, 1)
	}
	e.away = true
	go func() {
		e.out <- do()
		w.wake()
	}()
}

// back returns what the errand has brought, once.
func (e *errand[T]) back() (brought T, ok bool) {
	select {
	case brought = <-e.out:
		e.away = false
		return brought, true
	default:
		return brought, false
	}
}
