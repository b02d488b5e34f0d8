// Package broker asks Kafka's brokers and reads from them. It is the lowest room
// of those that talk to Kafka: it knows partitions, offsets and failures, and
// neither groups nor transactions, topologies nor tasks.
//
// # What is here
//
//	Fetcher          reads partitions from the offsets it is told
//	LogOffset        asks where a partition's log begins and ends
//	AsyncRequest     asks something that nobody has to wait for
//	Waker            ends the wait in which the reading goroutine sleeps
//	Retry, Permanent what is tried again, and what is not
//
// # Failures
//
// An answer of a broker, or of the client, is one of four kinds:
//
//	healing    the client gets over it by itself: nothing is said
//	troubled   the client tries again, perhaps for ever: it is told (TroubledError)
//	gone       the records are not in the log any more: the caller decides (GoneError)
//	permanent  no new attempt helps: Permanent reports true, and Retry gives up
//
// ErrReset marks those of the last kind that nothing mends but to start the
// application over; ErrPermanent marks the others that do not come from a broker.
//
// # What always holds
//
// A partition that was removed from the Fetcher, or moved within its log, never
// shows again from its old place. A failure of one partition takes no records of
// another with it.
//
// # Who owns what
//
// The Fetcher owns its client. Others may send requests through Fetcher.Client
// until Close; only the Fetcher reads with it. A Fetcher and an AsyncRequest
// belong to the goroutine that made them. A Waker may be woken by anyone. The one
// lock is that of the pool of records, which the client's goroutines call.
package broker
