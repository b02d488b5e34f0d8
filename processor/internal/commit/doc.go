// Package commit brings what the tasks of a worker have done into Kafka, beside the
// tasks, which process on.
//
// # The way of a commit
//
// A WorkerCommit holds what each task has prepared (TaskCommit) and the offsets
// that go with it. The worker takes an empty one (Pipeline.Next), fills it, puts it
// into the Pipeline and takes it back when it has landed, with a Verdict. Two
// stages lie between, each a goroutine:
//
//	stage   exactly-once                             at-least-once
//	Write   begin; produce outputs and changelogs;   produce outputs and changes,
//	        look at every answer (G1)                flush; positions, flush
//	Finish  add the offsets; end the transaction     commit the offsets
//
// # The outcomes
//
// Everything turns on three. Committed: only now the state is applied. Aborted:
// Kafka has nothing of it and never will. Unknown: the answer to the end is missing;
// Reopen makes the broker decide, and the worker reads what it decided.
//
// # What always holds
//
// Commits land in the order in which they were put. The records of one are sent
// after those of the one before are acknowledged, so that no change of a key
// overtakes an older one. What follows a commit that failed fails with it.
//
// # Who owns what
//
// A WorkerCommit with its producer belongs to one at a time: the worker, the first
// stage, the second stage, the worker again. It goes from one to the next through a
// channel, so there is no lock. The Pipeline's methods are the worker's, but for
// Cut, which anyone may call. Producing allocates nothing per record: the records
// lie in an arena that each commit keeps.
package commit
