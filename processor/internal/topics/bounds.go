package topics

import (
	"fmt"
	"math"
	"time"

	"github.com/millrace/millrace/processor/internal/graph"
	"github.com/millrace/millrace/windowing"
)

// TooFar returns a warning for each sink that is going to refuse what its sources
// believe, or what windows send as a bounded run ends. The clock is that of the
// start.
func (c *Catalog) TooFar(g *graph.Topology, clock time.Time, bounded bool) (warnings []error) {
	now := windowing.EventTime(clock.UnixMilli())
	source, ahead := furthest(g)
	operator, final := latestFinal(g, now)
	const refused = "what lies between goes to the error policy as refused; raise that setting, or give To the option ClampTime"
	for _, sub := range g.Subtopologies() {
		for _, n := range sub.Nodes {
			if n.Kind != graph.SinkNode || n.Internal || n.Clamped {
				continue
			}
			after := c.topics[n.Topic].After
			bound := time.Duration(min(after, math.MaxInt64/int64(time.Millisecond))) * time.Millisecond
			if ahead.Milliseconds() > after {
				warnings = append(warnings, fmt.Errorf("topic %q takes no time that is more than %v ahead of the clock (%s), and source %q believes records up to %v ahead (MaxAhead): %s", n.Topic, bound, configTimestampAfter, source, ahead, refused))
			}
			if bounded && int64(final-now) > after {
				warnings = append(warnings, fmt.Errorf("topic %q takes no time that is more than %v ahead of the clock (%s), and windows of %q that are open at the end of the run may end later: %s", n.Topic, bound, configTimestampAfter, operator, refused))
			}
		}
	}
	return warnings
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
