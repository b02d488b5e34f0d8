package topics

import (
	"slices"
	"testing"

	"github.com/millrace/millrace/processor/internal/broker"
	"github.com/millrace/millrace/processor/internal/graph"
	"github.com/millrace/millrace/processor/internal/group"
	"github.com/millrace/millrace/processor/internal/task"
)

// What is in a repartition topic is of an earlier life only where no offset can
// have come with it.
func TestOfThisLife(t *testing.T) {
	r := graph.Repartition{Topic: "by", From: &graph.Subtopology{Sources: []string{"in", "also"}}}
	in, by, other := broker.TopicPartition{Topic: "in", Partition: 1}, broker.TopicPartition{Topic: "by", Partition: 0}, broker.TopicPartition{Topic: "other", Partition: 0}
	notes := func(topics ...string) (m task.Meta) {
		m.Noted = true
		for _, topic := range topics {
			m.Notes = append(m.Notes, task.Note{Topic: task.NoteTopic(topic)})
		}
		return m
	}
	type offsets = map[broker.TopicPartition]group.Committed
	for name, tt := range map[string]struct {
		offsets offsets
		want    bool
	}{
		"nobody was here":               {nil, false},
		"nothing is committed":          {offsets{in: group.NoCommit(), by: group.NoCommit()}, false},
		"the reader was there":          {offsets{by: {Offset: 0, Meta: notes()}}, true},
		"a writer was there":            {offsets{in: {Offset: 7, Meta: notes("x", "by")}}, true},
		"one that did not write there":  {offsets{in: {Offset: 7, Meta: notes("x")}}, false},
		"one of a version before notes": {offsets{in: {Offset: 7}}, true},
		"one without room for more":     {offsets{in: {Offset: 7, Meta: notes(slices.Repeat([]string{"x"}, crowded)...)}}, true},
		"another sub-topology":          {offsets{other: {Offset: 7, Meta: notes("by")}}, false},
	} {
		if got := ofThisLife(r, tt.offsets); got != tt.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
