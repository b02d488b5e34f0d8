// Package graph holds the immutable, type-erased topology: nodes, the edges
// between them, the sub-topologies they fall into, and what a node needs from
// the task that runs it.
//
// A node is a recipe. A task instantiates every node of its sub-topology once,
// children first, and hands each one the receivers of its children. A receiver
// is one input of a node, a typed function, func(*Record[K, V]) error, carried
// as any: each edge costs one type assertion when the task is built and none per
// record.
//
// Nothing here reads a clock, starts a goroutine or knows Kafka.
package graph
