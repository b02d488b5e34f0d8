//go:build kafka

package main

import (
	"testing"

	"github.com/millrace/millrace/cmd/internal/kafka"
)

// The contender and the loops on a real broker: every workload is right there, too.
func TestOnKafka(t *testing.T) {
	b := kafka.ForTest(t, kafka.Options{})
	t.Run("workloads", func(t *testing.T) { testWorkloads(t, b.Addr()) })
	t.Run("restore", func(t *testing.T) { testRestore(t, b.Addr()) })
	t.Run("latency", func(t *testing.T) { testLatency(t, b.Addr()) })
}
