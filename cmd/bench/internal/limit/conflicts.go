package limit

import (
	"strings"
	"sync/atomic"

	"github.com/twmb/franz-go/pkg/kgo"
)

// conflicts is a client's logger that counts the answers CONCURRENT_TRANSACTIONS: a
// transaction began before the markers of the last one were written. Those to produce
// requests show only in the client's debug log, so it asks for that level.
type conflicts struct{ count atomic.Int64 }

func (c *conflicts) seen() int64 { return c.count.Load() }

// Level is asked by the client.
func (c *conflicts) Level() kgo.LogLevel { return kgo.LogLevelDebug }

// Log is called by the client.
func (c *conflicts) Log(_ kgo.LogLevel, msg string, keyvals ...any) {
	const answer = "CONCURRENT_TRANSACTIONS"
	if msg != "produced" {
		if strings.Contains(msg, answer) {
			c.count.Add(1)
		}
		return
	}
	for _, v := range keyvals {
		if s, ok := v.(string); ok {
			c.count.Add(int64(strings.Count(s, answer)))
		}
	}
}
