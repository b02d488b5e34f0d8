package restore

import (
	"fmt"
	"math"
	"testing"

	"github.com/millrace/millrace/processor/internal/broker"
	"github.com/millrace/millrace/processor/internal/graph"
	"github.com/millrace/millrace/processor/internal/group"
	"github.com/millrace/millrace/processor/internal/scripttest"
	"github.com/millrace/millrace/processor/internal/task"
	"github.com/millrace/millrace/processor/internal/topics"
	"github.com/millrace/millrace/schemaregistry/serde"
	"github.com/millrace/millrace/state"
)

// TestScripts runs the stories of testdata: what a restore decides.
func TestScripts(t *testing.T) {
	scripttest.Run(t, "testdata/*.txt", func() scripttest.Language {
		return scripttest.Language{
			// fit compares the store "counts", which has processed its input up to state=,
			// with the offset that the group has committed; either is left out where there
			// is none. stopped= is in the note on its changelog: where the task went on
			// without it, -1 if it has not; unknown says that there is no such note, older
			// that the version that committed wrote none at all. run says that a bounded
			// run has committed, fixed that it has processed nothing.
			{Usage: "fit [state=] [offset=] [stopped=] [unknown] [older] [run] [fixed] [at-least-once]", Run: fitOf},
		}
	})
}

func fitOf(c *scripttest.Call) string {
	const none = -1
	specs := []state.Spec{state.KV[string, int64]{Name: "counts", Key: serde.String, Value: serde.Int64}.Spec()}
	l := NewTaskState(task.ID{}, &graph.Subtopology{Sources: []string{"in"}, Stores: specs}, group.Identity{})
	stores, err := storesAt(specs, c.Int("state", none))
	c.Check(err)
	l.Stores = stores
	defer func() { _ = l.Close(false) }()
	committed := group.NoCommit()
	if c.Has("offset") {
		committed = group.Committed{Offset: c.Int("offset", none), Meta: metaOf(c)}
	}
	f := fitting{
		cfg: &Config{ApplicationID: "app", AtLeastOnce: c.Has("at-least-once"), Topics: &topics.Catalog{}}, task: &l,
		offsets: map[broker.TopicPartition]group.Committed{{Topic: "in", Partition: 0}: committed},
	}
	switch err := f.fit(); {
	case err != nil && unusable(err):
		return err.Error()
	case err != nil:
		c.Fatalf("%v", err)
	case len(f.away) > 0:
		return "it was away: to be brought up"
	case len(f.fresh) > 0:
		return "it fits, and is new"
	}
	return "it fits"
}

// metaOf is what lies with the committed offset.
func metaOf(c *scripttest.Call) task.Meta {
	meta := task.Meta{Watermark: 7, Noted: !c.Has("older")}
	if c.Has("run") {
		meta.Run = "r"
	}
	if c.Has("fixed") {
		meta.Watermark = math.MinInt64
	}
	switch {
	case c.Has("stopped"):
		changelog := state.ChangelogTopic("app", "counts")
		meta.Notes = []task.Note{{Topic: task.NoteTopic(changelog), Stopped: c.Int("stopped", task.Following)}}
	case !c.Has("unknown") && !c.Has("older") && !c.Has("run"):
		c.Fatalf("say what the offset knows of the store: stopped=, unknown or older")
	}
	return meta
}

// storesAt opens stores whose state is at an offset of topic "in"; below 0 they have
// none.
func storesAt(specs []state.Spec, offset int64) (*state.Stores, error) {
	s, err := state.NewMemory().Open("0_0", state.Identity{ApplicationID: "app", Task: "0_0"}, specs)
	if err != nil || offset < 0 {
		return s, err
	}
	if _, err := s.Prepare([]state.Input{{Topic: "in", Offset: offset}}, ""); err != nil {
		return nil, fmt.Errorf("prepare: %w", err)
	}
	return s, s.Apply([]int64{1}, 1)
}
