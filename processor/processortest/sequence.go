package processortest

import (
	"fmt"
	"slices"

	"github.com/millrace/millrace/processor/internal/graph"
	"github.com/millrace/millrace/processor/internal/task"
)

// A sent is a committed record and the task that sent it.
type sent struct {
	graph.Out
	by task.ID
}

// A sequence is all that one task has sent to one partition of a topic, in its
// order.
type sequence []string

// sequences are those of the topics where the order is promised.
func sequences(d *Driver) map[string]sequence {
	all := map[string]sequence{}
	for topic, log := range d.written {
		if !d.ordered(topic) {
			continue
		}
		for _, o := range log.outs {
			place := fmt.Sprintf("topic %q partition %d, sent by task %s", topic, o.Partition, o.by)
			all[place] = append(all[place], fmt.Sprintf("key %q %s", o.Key, content(o.Out)))
		}
	}
	return all
}

// ordered reports whether what each task sends to a topic is one sequence,
// wherever commits and faults fall: one sink writes it, and either nothing
// before it in the sub-topology depends on more than the log of one source, or
// it writes final results of one operator.
func (d *Driver) ordered(topic string) bool {
	found, sinks := false, 0
	for _, sub := range d.topology.Subtopologies() {
		for _, n := range sub.Nodes {
			if n.Kind == graph.SinkNode && n.Topic == topic {
				found, sinks = logOnly{sub, map[graph.NodeID]bool{}}.follows(n.Parents[0]) || finals(sub, n.Parents[0]), sinks+1
			}
		}
	}
	return found && sinks == 1
}

// logOnly looks for what depends on more than the log of one source.
type logOnly struct {
	sub  *graph.Subtopology
	seen map[graph.NodeID]bool // nodes whose inputs were looked at, or are being
}

// follows reports whether what leaves by an edge follows from the log of one
// source and nothing else.
func (l logOnly) follows(e graph.Edge) bool {
	n := at(l.sub, e)
	if n.Kind == graph.SourceNode {
		return !n.Internal && len(l.sub.Sources) == 1
	}
	if e.Port == 0 && n.Sends == graph.SendsAtCommits {
		return false
	}
	return l.fed(n)
}

// fed reports whether what comes to a node follows from the log, and to those that
// it shares a store with, for it may read what they have written.
func (l logOnly) fed(n *graph.Node) bool {
	if l.seen[n.ID] {
		return true // unless whoever looked there first finds otherwise
	}
	l.seen[n.ID] = true
	for _, p := range n.Parents {
		if !l.follows(p) {
			return false
		}
	}
	for _, other := range l.sub.Nodes {
		if slices.ContainsFunc(other.Stores, func(s string) bool { return slices.Contains(n.Stores, s) }) && !l.fed(other) {
			return false
		}
	}
	return true
}

// finals reports whether what leaves by an edge are the final results of one
// operator.
func finals(sub *graph.Subtopology, e graph.Edge) bool {
	n := at(sub, e)
	if e.Port == 0 && n.Sends != graph.SendsInTurn {
		return n.Sends == graph.SendsFinals
	}
	return len(n.Parents) == 1 && len(n.Stores) == 0 && finals(sub, n.Parents[0])
}

// at is the node that an edge leaves.
func at(sub *graph.Subtopology, e graph.Edge) *graph.Node {
	i := slices.IndexFunc(sub.Nodes, func(n *graph.Node) bool { return n.ID == e.From })
	return sub.Nodes[i]
}

// parting describes the first place, in order, where a sequence differs from
// that of the undisturbed run.
func parting(want, got map[string]sequence) string {
	var lines []string
	for place, w := range want {
		g := got[place]
		for i := range max(len(w), len(g)) {
			if i >= len(w) || i >= len(g) || w[i] != g[i] {
				lines = append(lines, fmt.Sprintf("%s: record %d is %s, undisturbed %s", place, i, g.at(i), w.at(i)))
				break
			}
		}
	}
	if len(lines) == 0 {
		return ""
	}
	return "the order differs from the undisturbed run: " + slices.Min(lines)
}

// at is one record of a sequence, for a message.
func (s sequence) at(i int) string {
	if i < len(s) {
		return s[i]
	}
	return "missing"
}
