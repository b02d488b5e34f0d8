package processor

import (
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/millrace/millrace/processor/internal/graph"
)

// lateness exports how late the records were that came too late, by operator.
// Workers add what was committed, scrapes read.
type lateness struct {
	desc   *prometheus.Desc
	bounds []float64 // seconds

	mu    sync.Mutex
	names map[graph.NodeID]string
	seen  map[graph.NodeID]graph.Lateness
}

func newLateness() *lateness {
	l := &lateness{
		desc: prometheus.NewDesc("millrace_late_record_lateness_seconds",
			"How far the watermark was beyond the closing of the last window of a record that was late.", []string{"node"}, nil),
		names: map[graph.NodeID]string{}, seen: map[graph.NodeID]graph.Lateness{},
	}
	for _, b := range graph.LatenessBounds() {
		l.bounds = append(l.bounds, b.Seconds())
	}
	return l
}

// add makes an operator known that may find records late.
func (l *lateness) add(n *graph.Node) {
	if n.Kind == graph.OperatorNode {
		l.names[n.ID] = n.Name
	}
}

// count adds what an operator saw in a committed interval.
func (l *lateness) count(id graph.NodeID, seen *graph.Lateness) {
	l.mu.Lock()
	defer l.mu.Unlock()
	sum := l.seen[id]
	sum.Add(seen)
	l.seen[id] = sum
}

// Describe implements prometheus.Collector.
func (l *lateness) Describe(ch chan<- *prometheus.Desc) { ch <- l.desc }

// Collect implements prometheus.Collector.
func (l *lateness) Collect(ch chan<- prometheus.Metric) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for id, name := range l.names {
		seen := l.seen[id]
		upTo, total := make(map[float64]uint64, len(l.bounds)), uint64(0)
		for i, n := range seen.Buckets {
			total += uint64(n)
			if i < len(l.bounds) {
				upTo[l.bounds[i]] = total
			}
		}
		ch <- prometheus.MustNewConstHistogram(l.desc, total, float64(seen.Millis)/1e3, upTo, name)
	}
}
