package broker

// An AsyncRequest is something asked of the brokers that no task has to wait for. It
// runs beside the worker's goroutine, since a broker that hangs must not hold up
// the tasks that have nothing to do with it: a request waits behind the dialing of
// its connection, whatever its own context says.
//
// The zero value is ready. It belongs to the goroutine that starts it.
//
// Always: one at a time, and none outlives the client that it asks by more than
// the client takes to be closed.
//
// Rejected: to ask on the worker's goroutine, and to put the next question off
// for ten times as long as one took in vain. A link that was held up for 16 s
// then cost 160 s without idle partitions.
type AsyncRequest[T any] struct {
	out  chan T // holds one, so that nobody waits to hand it over
	away bool
}

// Start starts the request, which must not be under way. The waker is woken when
// the answer is there.
func (e *AsyncRequest[T]) Start(w *Waker, do func() T) {
	if e.out == nil {
		e.out = make(chan T, 1)
	}
	e.away = true
	go func() {
		e.out <- do()
		w.Wake()
	}()
}

// UnderWay reports whether a request was started whose answer was not taken yet.
func (e *AsyncRequest[T]) UnderWay() bool { return e.away }

// Answered reports whether an answer waits to be taken.
func (e *AsyncRequest[T]) Answered() bool { return len(e.out) > 0 }

// Answer takes the answer, once; ok is false where there is none.
func (e *AsyncRequest[T]) Answer() (answer T, ok bool) {
	select {
	case answer = <-e.out:
		e.away = false
		return answer, true
	default:
		return answer, false
	}
}
