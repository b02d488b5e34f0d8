// Package state remembers. It gives the operators of a task typed stores of live values, turns what changed into
// changelog records once per commit, and keeps what Kafka has committed in an engine on disk or in memory.
//
// The life of a change:
//
//	Slot, Put, Remove       the overlay: live values in memory, dirty
//	Prepare                 each dirty entry is encoded once: a changelog record and an engine write
//	                        (the worker sends the records and ends the transaction)
//	Apply                   Kafka has committed: one atomic engine write, with the position
//	Discard                 Kafka has not: the overlay falls back to what the engine holds
//
// So the engine always holds a prefix of committed history and knows which: after a crash nothing has to be wiped,
// and Restore replays the rest of the changelogs from ChangelogNext. FORMAT.md draws all bytes.
package state
