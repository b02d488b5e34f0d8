package processor

import (
	"fmt"
	"strings"
	"sync"

	"github.com/millrace/millrace/processor/internal/graph"
)

// A bounded run ends by itself, often before anyone has read its metrics. What it left
// out without a dead letter is told as it ends, so that nobody takes a result for whole
// that is not.

// drops add up what went no further at each node in committed intervals. Workers use
// them at the same time.
type drops struct {
	mu    sync.Mutex
	nodes map[graph.NodeID]*graph.Counters
}

func (d *drops) count(counters []graph.Counters) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for i := range counters {
		id := graph.NodeID(i)
		if d.nodes[id] == nil {
			d.nodes[id] = new(graph.Counters)
		}
		d.nodes[id].Add(&counters[i])
	}
}

// tell says what each node dropped that no dead letter has.
func (d *drops) tell(t *graph.Topology, warn func(error)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, sub := range t.Subtopologies() {
		for _, n := range sub.Nodes {
			c := d.nodes[n.ID]
			if c == nil {
				continue
			}
			if what := lost(&t.Policy, c); what != "" {
				warn(fmt.Errorf("what went no further than %q in this process of the bounded run is in no dead letter: %s; Builder.DeadLetter names a topic for such, and which drops go there too", n.Name, what))
			}
		}
	}
}

// lost lists what was dropped and is in no dead letter: "3 late, 1 refused".
func lost(p *graph.ErrorPolicy, c *graph.Counters) string {
	var all []string
	for reason, n := range c.Dropped {
		r := graph.Reason(reason)
		if n == 0 || p.Routes(r) || p.OnError == graph.DeadLetter && r.Failed() {
			continue
		}
		all = append(all, fmt.Sprint(n, " ", r))
	}
	return strings.Join(all, ", ")
}
