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
// Between Prepare and Committed nothing is processed. A commit that failed is
// answered by Stores.Discard and a new task over the same stores: nodes are
// built again, for user code may keep fields.
package task
