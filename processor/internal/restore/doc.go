// Package restore brings the state of a task up to date before the task runs: it
// compares what is on disk with what the group has committed, and reads what is
// missing from the changelogs.
//
// # The restore cycle
//
// The order of the steps is what makes it right:
//
//	R1  the stable committed offsets of the sources         Restorer.stable
//	    offsets of another run, another program or of topics
//	    that were made anew are refused                     admit, refuseRemade
//	R2  the stores are opened                               Restorer.open
//	R3  the ends of the changelogs, open transactions       readChangelogs
//	    counted
//	R4  a state that cannot be followed up is given up      Restorer.usable
//	R5  the changelogs are read, committed records only,    Restorer.replay
//	R6  up to those ends
//	R7  the state fits the committed offsets (G5), and is   fitting.fit
//	    fed by the same topics as before                    fedByOthers
//	R8  the task is set to where it goes on                 Restorer.settle
//
// What does not fit is put aside and built anew from the whole changelog, once, and
// only if the offsets are still those of R1.
//
// # What always holds
//
// A TaskState that is delivered without an error has stores that reflect the
// committed offsets in its inputs, and nothing else. Good state is never put aside
// because a topic was made anew: that is refused, and the state left as it is.
//
// Stores that other versions of the application have left behind are brought up
// before the task goes on, by a task of its own (away).
//
// # Who owns what
//
// A Restorer is one goroutine. A TaskState travels to it (Order) and back
// (Deliveries), one at a time; in between nobody else touches it. It asks by a
// client of somebody else's and reads with its own, which it opens when it first
// needs it. Everything goes through channels; there is no lock.
package restore
