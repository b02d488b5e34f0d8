// Package worker is the only room of the runtime that talks to Kafka: it joins
// the group, reads, produces, commits and restores.
package worker
