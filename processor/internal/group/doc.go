// Package group is a worker's membership in its consumer group: who owns which
// task, and what the group has committed. It reads no record.
//
// # What is here
//
//	Member      the seat: joining, heartbeats, what is assigned and taken away
//	Layout      the tasks of an application, as all members see them
//	balancer    deals the tasks of a group out, where this member is its leader
//	Offsets     fetches and commits offsets, fenced by an Identity
//	Committed   a committed offset with what its metadata say
//
// The balancing is in four parts. A profile is what a member tells of itself. A
// camp is those members that read the same. The layout of a camp is dealt to its
// seats. An award is what a member gets, with a word about it.
//
// # What always holds
//
// What is ours is what the last SyncGroup answer says, as a whole. The client's
// differences are passed on and not believed: after a silent rejoin under another
// name it believes that it still has what it had.
//
// Partitions that are revoked or lost are free for others only after the worker
// has closed Event.Done. A task is assigned whole, all its source partitions to one
// member, and cooperatively: what stays keeps running.
//
// Offsets are committed with member and generation, so a worker that was thrown out
// cannot commit; Refused tells such an answer from a failure.
//
// # Who owns what
//
// A Member owns its client, whose goroutines call the balancer and post the events.
// The worker alone receives from Events and Notes. Offsets is stateless and uses a
// client of somebody else's; it and a Layout may be used by any goroutine. There is
// no lock: what goroutines share is atomic or goes through a channel.
package group
