//go:build kafka

package limit

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/millrace/millrace/cmd/internal/kafka"
	"github.com/millrace/millrace/cmd/internal/workload"
)

// The same test as on the embedded broker.
func TestLoopsOnKafka(t *testing.T) {
	b := kafka.ForTest(t, kafka.Options{})
	testLoops(t, workload.Cluster{Options: []kgo.Opt{kgo.SeedBrokers(b.Addr())}})
}
