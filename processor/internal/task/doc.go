// Package task is the deterministic core: one sub-topology for one partition.
//
// A task is a state machine. Records, the wall clock and the results of commits
// are handed to it; outputs, changelog entries and offsets are asked of it. It
// has no goroutine, no channel, no lock, no clock and no Kafka, so the worker,
// the test driver and the simulator run the very same code, and the same
// inputs give the same outputs, byte for byte.
//
//	Enqueue -> Step ... Step -> Prepare -> (the commit, elsewhere) -> Committed
//
// The task goes on while commits are on their way: up to state.PendingCommits
// may be pending, and Committed answers the oldest. One that failed takes all
// behind it with it: it is answered by Stores.Discard and a new task over the
// same stores. Nodes are built again, for user code may keep fields; those of
// the former task are told by Aborted.
package task
