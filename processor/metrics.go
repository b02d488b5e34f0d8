package processor

import (
	"errors"
	"fmt"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/millrace/millrace/processor/internal/graph"
	"github.com/millrace/millrace/processor/internal/worker"
)

// metrics are what an App exports. Labels are looked up once, when the App is
// made: a record costs nothing here, a commit a few additions.
type metrics struct {
	commits, aborts, unknowns, warnings prometheus.Counter
	restored, outputs, changelog        prometheus.Counter
	commitSeconds                       prometheus.Histogram
	nodes                               []nodeMetrics // by NodeID
	lateness                            *lateness
	registrar                           *registrar
}

type nodeMetrics struct {
	in, processed prometheus.Counter   // nil where only drops are counted
	dropped       []prometheus.Counter // by reason
}

// newMetrics registers the metrics, all or none. Two Apps may share a registerer
// if their application ids differ, or if one is over when the other is made.
func newMetrics(reg prometheus.Registerer, applicationID string, t *graph.Topology, at *times) (*metrics, error) {
	r := &registrar{reg: prometheus.WrapRegistererWith(prometheus.Labels{"application_id": applicationID}, reg)}
	m := &metrics{
		registrar: r,
		commits:   r.counter("commits_total", "Commits that succeeded."),
		aborts:    r.counter("aborts_total", "Commits that were undone and repeated."),
		unknowns:  r.counter("commit_outcomes_unknown_total", "Commits whose outcome had to be asked of Kafka."),
		warnings:  r.counter("warnings_total", "Things an operator should know; see the log."),
		restored:  r.counter("restored_records_total", "Changelog records read to restore state."),
		outputs:   r.counter("output_records_total", "Records committed to sink topics."),
		changelog: r.counter("changelog_records_total", "Records committed to changelog topics."),
	}
	m.commitSeconds = prometheus.NewHistogram(prometheus.HistogramOpts{
		Name: "millrace_commit_seconds", Help: "Duration of a commit, from its start to the state being applied.",
		Buckets: prometheus.ExponentialBuckets(0.001, 2, 14),
	})
	r.register(m.commitSeconds)
	m.lateness = newLateness()
	r.register(m.lateness)
	r.register(newWatermarks(at))
	in := r.vector("node_records_in_total", "Records that arrived at a node, committed ones.", "node")
	processed := r.vector("node_records_processed_total", "Records a node processed; in = processed + dropped.", "node")
	dropped := r.vector("node_records_dropped_total", "Records that went no further than a node.", "node", "reason")
	for _, s := range t.Subtopologies() {
		for _, n := range s.Nodes {
			m.add(n, in, processed, dropped)
		}
	}
	if r.err != nil {
		m.unregister()
		if errors.As(r.err, new(prometheus.AlreadyRegisteredError)) {
			return nil, fmt.Errorf("the Registerer has the metrics of an App %q already, and takes one of each application id at a time: wait until the Run of that one has returned, or give this one another Registerer (an App that is never run keeps its metrics there): %w", applicationID, r.err)
		}
		return nil, r.err
	}
	return m, nil
}

// unregister makes room for the next App of the application id.
func (m *metrics) unregister() {
	for _, c := range m.registrar.done {
		m.registrar.reg.Unregister(c)
	}
}

func (m *metrics) add(n *graph.Node, in, processed, dropped *prometheus.CounterVec) {
	for len(m.nodes) <= int(n.ID) {
		m.nodes = append(m.nodes, nodeMetrics{})
	}
	nm := &m.nodes[n.ID]
	for _, reason := range graph.Reasons() {
		nm.dropped = append(nm.dropped, dropped.WithLabelValues(n.Name, reason.String()))
	}
	if n.Kind == graph.OperatorNode && len(n.Stores) == 0 {
		return // stateless operators count only what they drop
	}
	nm.in, nm.processed = in.WithLabelValues(n.Name), processed.WithLabelValues(n.Name)
	m.lateness.add(n)
}

// count adds what the nodes of one task saw in a committed interval.
func (m *metrics) count(counters []graph.Counters) {
	for id := range counters {
		c, nm := &counters[id], &m.nodes[id]
		if c.In == 0 {
			continue
		}
		if nm.in != nil {
			nm.in.Add(float64(c.In))
			nm.processed.Add(float64(c.Processed))
		}
		for reason, n := range c.Dropped {
			if n > 0 {
				nm.dropped[reason].Add(float64(n))
			}
		}
		if c.Dropped[graph.Late] > 0 {
			m.lateness.count(graph.NodeID(id), &c.Lateness)
		}
	}
}

func (m *metrics) commit(c worker.Committed) {
	m.commits.Inc()
	m.outputs.Add(float64(c.Outputs))
	m.changelog.Add(float64(c.Entries))
	m.commitSeconds.Observe(c.Duration.Seconds())
}

// registrar registers metrics under the product's prefix, until one is refused.
type registrar struct {
	reg  prometheus.Registerer
	done []prometheus.Collector
	err  error
}

func (r *registrar) register(c prometheus.Collector) {
	if r.err != nil {
		return
	}
	if r.err = r.reg.Register(c); r.err == nil {
		r.done = append(r.done, c)
	}
}

func (r *registrar) counter(name, help string) prometheus.Counter {
	c := prometheus.NewCounter(prometheus.CounterOpts{Name: "millrace_" + name, Help: help})
	r.register(c)
	return c
}

func (r *registrar) vector(name, help string, labels ...string) *prometheus.CounterVec {
	v := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "millrace_" + name, Help: help}, labels)
	r.register(v)
	return v
}
