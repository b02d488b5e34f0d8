// Package processor runs topologies: exactly-once, stateful stream processing
// over Kafka in an ordinary Go program.
//
// A topology is built with package stream, handed to New with a Config, and run
// by App.Run, which blocks. Any number of processes that use the same
// application id share the partitions; each keeps the state of its tasks on
// local disk and in changelog topics, and commits offsets, state and output in
// one Kafka transaction.
package processor
