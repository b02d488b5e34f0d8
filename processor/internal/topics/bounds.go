package topics

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/millrace/millrace/processor/internal/graph"
	"github.com/millrace/millrace/windowing"
)

// TooFar returns warnings of sinks that are going to refuse what their sources
// believe, or what windows send as a bounded run ends. The clock is that of the
// start.
func (c *Catalog) TooFar(g *graph.Topology, clock time.Time, bounded bool) (warnings []error) {
	now := windowing.EventTime(clock.UnixMilli())
	source, ahead := furthest(g)
	operator, final := latestFinal(g, now)
	if topics, bound := c.narrower(g, ahead.Milliseconds()); topics != "" {
		warnings = append(warnings, fmt.Errorf("source %q believes records up to %v ahead of the clock (MaxAhead of its watermarks), and the topics %s take no time beyond %v (%s): results between go to the error policy as refused, and such a record makes what follows it late; lower MaxAhead, which keeps it out as future; or raise that setting, or give To the option ClampTime", source, ahead, topics, bound, configTimestampAfter))
	}
	if topics, bound := c.narrower(g, int64(final-now)); topics != "" && bounded {
		warnings = append(warnings, fmt.Errorf("windows of %q that are open at the end of the run may end later than the topics %s take, which is %v ahead of the clock (%s): such results go to the error policy as refused; raise that setting, or give To the option ClampTime", operator, topics, bound, configTimestampAfter))
	}
	return warnings
}

// narrower lists the sinks that take no time so far ahead of the clock, in ms, and
// the least bound of theirs; none are those that bring times into their bounds.
func (c *Catalog) narrower(g *graph.Topology, ahead int64) (topics string, least time.Duration) {
	bound := int64(math.MaxInt64 / int64(time.Millisecond))
	var names []string
	for _, sub := range g.Subtopologies() {
		for _, n := range sub.Nodes {
			if n.Kind != graph.SinkNode || n.Internal || n.Clamped {
				continue
			}
			if after := c.topics[n.Topic].After; after < ahead {
				names, bound = append(names, n.Topic), min(bound, after)
			}
		}
	}
	slices.Sort(names)
	return strings.Join(quoteAll(slices.Compact(names)), ", "), time.Duration(bound) * time.Millisecond
}

// furthest is the source that believes the records that are furthest ahead.
func furthest(g *graph.Topology) (topic string, ahead time.Duration) {
	for _, sub := range g.Subtopologies() {
		for _, n := range sub.Nodes {
			if n.Kind == graph.SourceNode && !n.Internal && n.Watermarks.Ahead() > ahead {
				topic, ahead = n.Topic, n.Watermarks.Ahead()
			}
		}
	}
	return topic, ahead
}

// latestFinal is the time of the latest result of a window that a record of now is
// in, where windows send results of their own time. A window without end has none.
func latestFinal(g *graph.Topology, now windowing.EventTime) (operator string, at windowing.EventTime) {
	at = now
	for _, sub := range g.Subtopologies() {
		for _, n := range sub.Nodes {
			if n.Windows == nil || n.Windows.Emission() != windowing.OnClose && n.Windows.Emission() != windowing.OnTime {
				continue
			}
			if win, ok := n.Windows.Latest(now); ok && win.End != windowing.MaxTime && win.End-1 > at {
				operator, at = n.Name, win.End-1
			}
		}
	}
	return operator, at
}
