package restore

import (
	"math"
	"testing"

	"github.com/millrace/millrace/processor/internal/broker"
	"github.com/millrace/millrace/processor/internal/graph"
	"github.com/millrace/millrace/processor/internal/group"
	"github.com/millrace/millrace/processor/internal/task"
	"github.com/millrace/millrace/processor/internal/topics"
	"github.com/millrace/millrace/schemaregistry/serde"
	"github.com/millrace/millrace/state"
)

// Each case of a fitting. An offset of none is that of a partition nobody has
// committed, a state of none that of a store without a position.
func TestFit(t *testing.T) {
	const none = -1
	specs := []state.Spec{state.KV[string, int64]{Name: "counts", Key: serde.String, Value: serde.Int64}.Spec()}
	changelog := state.ChangelogTopic("app", specs[0].Name)
	noted := func(stopped int64) task.Meta {
		return task.Meta{Noted: true, Watermark: 7, Notes: []task.Note{{Topic: task.NoteTopic(changelog), Stopped: stopped}}}
	}
	following, others := noted(task.Following), task.Meta{Noted: true, Watermark: 7}
	fixed := task.Meta{Noted: true, Run: "r", Watermark: math.MinInt64}
	for _, tt := range []struct {
		name    string
		state   int64
		offset  int64
		meta    task.Meta
		atLeast bool
		want    string
	}{
		{"both empty", none, none, group.NoCommit().Meta, false, "fits"},
		{"equal", 5, 5, following, false, "fits"},
		{"equal, older version", 5, 5, task.Meta{}, false, "fits"},
		{"state behind", 4, 5, following, false, "unusable"},
		{"state behind, older version", 4, 5, task.Meta{}, false, "unusable"},
		{"state ahead", 6, 5, following, false, "unusable"},
		{"no state", none, 5, following, false, "unusable"},
		{"no state, older version", none, 5, task.Meta{}, false, "unusable"},
		{"a new store", none, 5, others, false, "fits"},
		{"no offset", 5, none, group.NoCommit().Meta, false, "unusable"},
		{"only an end was fixed", none, 5, fixed, false, "fits"},
		{"only an end was fixed, older version", none, 5, task.Meta{Run: "r", Watermark: math.MinInt64}, false, "fits"},
		{"a run has processed", none, 5, task.Meta{Run: "r", Watermark: 7}, false, "unusable"},
		{"was away", 3, 5, noted(3), false, "away"},
		{"is being brought up", 4, 5, noted(3), false, "away"},
		{"was away, and nothing came", 5, 5, noted(5), false, "fits"},
		{"was away, and lost what it had", 2, 5, noted(3), false, "unusable"},
		{"was away, and lost all", none, 5, noted(3), false, "unusable"},
		{"state ahead, at least once", 6, 5, following, true, "fits"},
		{"state ahead of nothing, at least once", 6, none, group.NoCommit().Meta, true, "fits"},
		{"state behind, at least once", 4, 5, following, true, "unusable"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l := NewTaskState(task.ID{}, &graph.Subtopology{Sources: []string{"in"}, Stores: specs}, group.Identity{})
			l.Stores = storesAt(t, l.Sub.Stores, tt.state)
			defer func() { _ = l.Close(false) }()
			f := fitting{
				cfg: &Config{ApplicationID: "app", AtLeastOnce: tt.atLeast, Topics: &topics.Catalog{}}, task: &l,
				offsets: map[broker.TopicPartition]group.Committed{{Topic: "in", Partition: 0}: {Offset: tt.offset, Meta: tt.meta}},
			}
			got := "fits"
			switch err := f.fit(); {
			case err != nil && unusable(err):
				got = "unusable"
			case err != nil:
				t.Error(err)
			case len(f.away) > 0:
				got = "away"
			}
			if got != tt.want {
				t.Errorf("%s, want %s", got, tt.want)
			}
		})
	}
}

// storesAt opens stores whose state is at an offset of topic "in".
func storesAt(t *testing.T, specs []state.Spec, offset int64) *state.Stores {
	t.Helper()
	s, err := state.NewMemory().Open("0_0", state.Identity{ApplicationID: "app", Task: "0_0"}, specs)
	if err != nil {
		t.Fatal(err)
	}
	if offset < 0 {
		return s
	}
	if _, err := s.Prepare([]state.Input{{Topic: "in", Offset: offset}}, ""); err != nil {
		t.Fatal(err)
	}
	if err := s.Apply([]int64{1}, 1); err != nil {
		t.Fatal(err)
	}
	return s
}
