//go:build kafka

package workload

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/millrace/millrace/cmd/internal/kafka"
)

// The same tests as on the embedded broker.
func TestRealBroker(t *testing.T) {
	b := kafka.ForTest(t, kafka.Options{})
	c := Cluster{Options: []kgo.Opt{kgo.SeedBrokers(b.Addr())}}
	t.Run("load", func(t *testing.T) { testLoad(t, c) })
	t.Run("checks", func(t *testing.T) { testChecks(t, c) })
}
