package topics

import (
	"fmt"
	"time"

	"github.com/millrace/millrace/processor/internal/graph"
	"github.com/millrace/millrace/processor/internal/group"
)

// How long a start waits for the brokers, and how often it looks again for a
// topic that may only just have been created.
const (
	startTimeout     = 60 * time.Second
	missingTries     = 5
	missingPause     = 200 * time.Millisecond
	wantTransactions = 2 // transaction.version
)

// A Catalog is what a worker learned about the cluster when it started. It is not
// changed afterwards and may be read by any goroutine, but for what topics take:
// see limits.
type Catalog struct {
	partitions map[string]int32    // of sources, sinks and changelogs
	IDs        map[string][16]byte // of the same topics
	// deleteRetention is how long each changelog keeps tombstones.
	deleteRetention map[string]time.Duration
	limits
	Layout group.Layout // of the application's tasks
	// Stepped: transaction.version is below 2, so a group joins a transaction by a
	// request of its own.
	Stepped bool
}

// Partitions is the number of partitions of a source, sink or changelog.
func (c *Catalog) Partitions(topic string) int32 { return c.partitions[topic] }

// SinkPartitions are the partition counts a task needs.
func (c *Catalog) SinkPartitions(g *graph.Topology) map[string]int32 {
	out := map[string]int32{}
	for _, topic := range g.SinkTopics() {
		out[topic] = c.partitions[topic]
	}
	return out
}

// TopicID is a topic id as text; empty where the brokers are so old that topics
// have none.
func (c *Catalog) TopicID(topic string) string {
	if id := c.IDs[topic]; id != ([16]byte{}) {
		return fmt.Sprintf("%x", id)
	}
	return ""
}

// Another reports whether a topic is another one than that of an id. Where one of
// the ids is not known it is false.
func (c *Catalog) Another(topic, id string) bool {
	is := c.TopicID(topic)
	return is != "" && id != "" && is != id
}

// KeepsDeletions is how long a changelog keeps tombstones.
func (c *Catalog) KeepsDeletions(changelog string) time.Duration { return c.deleteRetention[changelog] }
