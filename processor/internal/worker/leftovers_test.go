package worker

import (
	"slices"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/millrace/millrace/processor/internal/broker"
	"github.com/millrace/millrace/processor/internal/graph"
	"github.com/millrace/millrace/processor/internal/group"
	"github.com/millrace/millrace/processor/internal/task"
	"github.com/millrace/millrace/state"
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

// Records that an earlier life has left are deleted before they are read; those
// that a task of this life has written are not, though nobody has read them yet.
func TestLeftoversAreDeleted(t *testing.T) {
	for name, tt := range map[string]struct {
		guarantee Guarantee
		note      bool
		keeps     bool
	}{
		"of an earlier life": {ExactlyOnce, false, false},
		"of this one":        {ExactlyOnce, true, true},
		"nobody can tell":    {AtLeastOnce, false, true},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCluster(t, 1, "in", "out", "app-by-repartition")
			if err := c.client().ProduceSync(t.Context(), &kgo.Record{Topic: "app-by-repartition", Value: []byte("v")}).FirstErr(); err != nil {
				t.Fatal(err)
			}
			seen := newWitness(t)
			cfg := c.config(rekeying(t), state.NewMemory(), seen)
			cfg.Guarantee = tt.guarantee
			w, err := New(cfg)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(w.release)
			if w.fetcher, err = broker.NewFetcher(c.opts, &w.waker); err != nil {
				t.Fatal(err)
			}
			w.catalog = &catalog{layout: group.Layout{Sources: [][]string{{"in"}, {"app-by-repartition"}}, Partitions: []int32{1, 1}}}
			w.group = group.NewOffsets("app", w.fetcher.Client, nil)
			if tt.note {
				meta := task.Meta{Notes: []task.Note{{Topic: task.NoteTopic("app-by-repartition"), Stopped: task.Following}}}
				offsets := kadm.Offsets{}
				offsets.Add(kadm.Offset{Topic: "in", Partition: 0, At: 1, Metadata: task.EncodeMeta(meta)})
				if _, err := kadm.NewClient(c.client()).CommitOffsets(t.Context(), "app", offsets); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := w.precheck(t.Context()); err != nil {
				t.Fatal(err)
			}
			if kept := c.PartitionInfo("app-by-repartition", 0).LogStartOffset == 0; kept != tt.keeps {
				t.Errorf("kept: %v", kept)
			}
			if told := seen.warned(`"app-by-repartition" had something of an earlier life of group "app"`); told == tt.keeps {
				t.Errorf("told: %v", told)
			}
		})
	}
}
