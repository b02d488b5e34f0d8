package worker

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/millrace/millrace/processor/internal/broker"
	"github.com/millrace/millrace/processor/internal/group"
	"github.com/millrace/millrace/processor/internal/task"
	"github.com/millrace/millrace/processor/internal/topics"
	"github.com/millrace/millrace/state"
)

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
			w.catalog = &topics.Catalog{Layout: group.Layout{Sources: [][]string{{"in"}, {"app-by-repartition"}}, Partitions: []int32{1, 1}}}
			w.group = group.NewOffsets("app", w.fetcher.Client, nil)
			if tt.note {
				meta := task.Meta{Notes: []task.Note{{Topic: task.NoteTopic("app-by-repartition"), Stopped: task.Following}}}
				offsets := kadm.Offsets{}
				offsets.Add(kadm.Offset{Topic: "in", Partition: 0, At: 1, Metadata: task.EncodeMeta(meta)})
				if _, err := kadm.NewClient(c.client()).CommitOffsets(t.Context(), "app", offsets); err != nil {
					t.Fatal(err)
				}
			}
			check := startCheck{&w.cfg, w.fetcher.Client, w.catalog, w.group}
			if _, err := check.run(t.Context()); err != nil {
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
