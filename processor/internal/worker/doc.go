// Package worker is the loop of the runtime and the life of a task in it. A worker
// joins the group, reads, lets its tasks process, commits, restores, and hands
// tasks over when the group asks for them.
//
// The rooms below do what each of that takes of Kafka: broker reads and asks, group
// is the membership with its offsets, topics is what must exist before the first
// record, commit brings results into Kafka, restore brings state back from there.
//
// # The clients
//
// The member (group.Member) has the seat in the consumer group: joining,
// heartbeats, assignment. It reads nothing. The fetcher (broker.Fetcher) reads the
// source partitions from the offsets it is told; it knows no group. The
// producers of the pipeline, one for each commit that may be on its way, write and
// hold the transactions. The restorer opens one to read changelogs when it first
// restores from one; what else is asked of the brokers goes through the
// fetcher's. One client that is consumer and producer at once would commit what
// it polled and rewind to what it polled; with queues in front of tasks that
// loses records.
//
// # One turn
//
// Worker.turn is one round of the loop: hear the group, take back restored
// tasks, poll a bounded batch, let every task step, and commit if it is due.
// What no task waits for, where partitions end and the deletion of processed
// records, is asked of the brokers beside it (broker.AsyncRequest).
// Nothing in a store is ever newer than Kafka. Only the worker's goroutine
// touches tasks and fetcher, so there is no lock here.
//
// What is asked of all tasks together is asked of leases; where a task stands
// between its assignment and its end, LifecycleState draws.
//
// # A commit
//
// Worker.commit takes what every task has to commit (Task.Prepare) into a
// commit.WorkerCommit and puts that into the pipeline, which brings it into Kafka
// while the tasks process on. Worker.landOne takes it back.
//
// Everything turns on the three outcomes. Committed: only now Task.Committed applies
// the state (G8). Aborted: Kafka has nothing and never will, as after a failed
// produce or refused offsets; the tasks are built again over the same stores at
// the last committed positions. Unknown: the answer to the end is missing; the
// producer's client is replaced, which makes the broker decide, and the tasks go
// through a restore, which reads what it decided (G7). What was in the pipeline
// behind a commit that failed fails with it.
//
// # The guards
//
//	G1  a record that was not written aborts the transaction    producer.flush (commit)
//	G2  no commit under another member id than the assignment's Worker.lapsed
//	G3  what is assigned is what the last sync said             Worker.assign
//	G4  records follow on a task's position                     Task.Enqueue
//	G5  restored state is where the committed offsets are       fitting.fit (restore)
//	G6  only offsets of the worker's own tasks                  Worker.pledge
//	G7  an unknown outcome is looked up                         Worker.undo
//	G8  nothing is applied before Kafka has it                  Worker.applied
//	G9  a transaction has a bound in time, records and bytes    Worker.due
//	G10 results without records are committed with offsets      Worker.pledge
//
// # Assignment
//
// The group client's callbacks only post events. Revoked and lost partitions
// make the client wait until the worker has committed (or given up) and closed
// the tasks; only then does the group hear that they are free. The list of what
// is ours is taken from the last SyncGroup answer as a whole, never from the
// client's differences: after a silent rejoin under another name it believes
// that it still has what it had.
//
// # A restore
//
// The restorer runs on its own goroutine; the state of a lease travels to it and
// back.
// The order of its steps is what makes it right: the stable committed offsets
// of the sources first, then the read-uncommitted end of the changelog, then a
// read-committed reader up to there. Before a state is used it is checked
// against the changelog's id, its start and its age; after, against the
// committed offsets (G5). What does not fit is put aside and built anew, once.
//
// # A bounded run
//
// The first owner of a source partition fixes its end, in the metadata of a
// fenced offset commit, before anything is processed; every later owner reads
// it there. A worker stays until the committed metadata of all partitions say
// that the run is finished.
package worker
