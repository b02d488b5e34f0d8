package graph

import "slices"

// A Repartition is one repartition topic of a topology.
type Repartition struct {
	Topic string
	// Partitions is the number asked for; 0 takes the highest number among the
	// sources of the sub-topology that writes it.
	Partitions int32
	From       *Subtopology // writes it
}

// RepartitionTopic is the name of a repartition topic: Kafka Streams', so that
// tools and access rules know it.
func RepartitionTopic(applicationID, name string) string {
	return applicationID + "-" + name + "-repartition"
}

// Bind returns the topology as it runs under an application id: its internal
// topics have their full names. The topology itself is not changed.
func (t *Topology) Bind(applicationID string) *Topology {
	bound := &Topology{Name: t.Name, Policy: t.Policy, stores: t.stores, partitions: map[string]int32{}}
	for _, n := range t.nodes {
		c := *n
		if c.Internal {
			c.Topic = RepartitionTopic(applicationID, n.Topic)
			if count, ok := t.partitions[n.Topic]; ok {
				bound.partitions[c.Topic] = count
			}
		}
		bound.nodes = append(bound.nodes, &c)
	}
	bound.cut()
	return bound
}

// SetPartitions fixes the number of partitions of a repartition topic, by the
// operator's part of its name.
func (b *Builder) SetPartitions(name string, n int32) {
	if b.partitions == nil {
		b.partitions = map[string]int32{}
	}
	b.partitions[name] = n
}

// Repartitions returns the repartition topics, upstream ones first.
func (t *Topology) Repartitions() []Repartition {
	var all []Repartition
	for _, s := range t.subs {
		for _, topic := range s.Feeds {
			all = append(all, Repartition{Topic: topic, Partitions: t.partitions[topic], From: s})
		}
	}
	return all
}

// ReadersFirst lists the sub-topologies so that whoever reads a repartition topic
// comes before who writes it.
func (t *Topology) ReadersFirst() []*Subtopology {
	var all []*Subtopology
	seen := make([]bool, len(t.subs))
	var visit func(*Subtopology)
	visit = func(s *Subtopology) {
		if seen[s.ID] {
			return
		}
		seen[s.ID] = true
		for _, reader := range t.subs {
			if slices.ContainsFunc(s.Feeds, func(topic string) bool { return slices.Contains(reader.Fed, topic) }) {
				visit(reader)
			}
		}
		all = append(all, s)
	}
	for _, s := range t.subs {
		visit(s)
	}
	return all
}

// Formats are what the records of the repartition topics are written in, by topic.
func (t *Topology) Formats() map[string]*Format {
	all := map[string]*Format{}
	for _, n := range t.nodes {
		if n.Format != nil {
			all[n.Topic] = n.Format
		}
	}
	return all
}
