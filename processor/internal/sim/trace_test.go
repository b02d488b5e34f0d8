//go:build synctests

package sim

import (
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
)

// traceKept bounds the events a run remembers.
const traceKept = 20000

// A trace is the last events of a run, for whoever has to explain a violation.
type trace struct {
	began time.Time
	mu    sync.Mutex
	ring  []string
	next  int
}

func newTrace(began time.Time) *trace { return &trace{began: began} }

func (t *trace) add(format string, args ...any) {
	line := fmt.Sprintf("%9.3f ", time.Since(t.began).Seconds()) + fmt.Sprintf(format, args...)
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.ring) < traceKept {
		t.ring = append(t.ring, line)
		return
	}
	t.ring[t.next] = line
	t.next = (t.next + 1) % traceKept
}

// all returns the events in their order.
func (t *trace) all() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return append(append([]string(nil), t.ring[t.next:]...), t.ring[:t.next]...)
}

// A clientLog takes the log of a process's Kafka clients into the trace.
type clientLog struct {
	process *process
}

func (clientLog) Level() kgo.LogLevel { return kgo.LogLevelInfo }

func (l clientLog) Log(_ kgo.LogLevel, message string, keyvals ...any) {
	if strings.Contains(message, "metadata") || strings.Contains(message, "beginning transact") {
		return
	}
	l.process.host.s.trace.add("%s client: %s %v", l.process, message, keyvals)
}

// Logf takes the fake broker's log.
func (t *trace) Logf(level kfake.LogLevel, format string, args ...any) {
	if level <= kfake.LogLevelWarn {
		t.add("broker: "+format, args...)
	}
}
