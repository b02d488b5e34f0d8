package worker

import (
	"reflect"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/millrace/millrace/processor/internal/commit"
	"github.com/millrace/millrace/processor/internal/graph"
	"github.com/millrace/millrace/processor/internal/task"
	"github.com/millrace/millrace/state"
)

func bounded(t *testing.T, c *cluster, run string, s state.Storage) (Config, *witness) {
	w := newWitness(t)
	cfg := c.config(counting(t, graph.ErrorPolicy{}), s, w)
	cfg.Bounded = &BoundedRun{Run: run}
	return cfg, w
}

// A bounded run ends by itself, once for all.
func TestBoundedRun(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 3, "in", "out")
	input := rows(2, 40, 3) // partition 2 is empty
	c.load(input...)
	storage := state.NewMemory()
	cfg, _ := bounded(t, c, "r1", storage)
	if err := start(t, cfg).wait(); err != nil {
		t.Fatal(err)
	}
	c.checkCounts(input)

	for _, s := range []state.Storage{storage, state.NewMemory()} {
		cfg, w := bounded(t, c, "r1", s)
		if err := start(t, cfg).wait(); err != nil {
			t.Fatalf("the same run again: %v", err)
		}
		if w.commits > 0 {
			t.Error("the same run again committed something")
		}
	}
	cfg, _ = bounded(t, c, "r2", storage)
	mustFail(t, cfg, `bounded run "r1"`, "start the application over")
	mustFail(t, c.config(counting(t, graph.ErrorPolicy{}), storage, newWitness(t)), `bounded run "r1"`, "start the application over")

	c.load(row{0, "a", "later"})
	cfg, _ = bounded(t, c, "r1", storage)
	mustFail(t, cfg, `bounded run "r1"`, "gone on", "start the application over")
	c.checkCounts(input)
}

// The end of a partition is where it was when the run first looked at it, also
// after crashes and for other workers.
func TestBoundedEndIsFixedOnce(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 2, "in", "out")
	input := rows(2, 100, 3)
	c.load(input...)
	storage := state.NewMemory()
	cfg, w := bounded(t, c, "r1", storage)
	cfg.CommitRecords = 20
	commits := 0
	cfg.Faults.At = func(s Step) {
		if s == commit.AfterEnd {
			both := false
			w.locked(func() { both = len(w.restored) == 2 }) // it has looked at both partitions
			if commits++; commits >= 3 && both {
				panic(errCrash)
			}
		}
	}
	if err := start(t, cfg).wait(); err != errCrash {
		t.Fatal(err)
	}
	c.load(rows(2, 50, 3)...) // after the end
	one, _ := bounded(t, c, "r1", storage)
	two, _ := bounded(t, c, "r1", state.NewMemory())
	a, b := start(t, one), start(t, two)
	if err := a.wait(); err != nil {
		t.Error(err)
	}
	if err := b.wait(); err != nil {
		t.Error(err)
	}
	c.checkCounts(input)
}

func TestBoundedOnNothing(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 2, "in", "out")
	cfg, _ := bounded(t, c, "r1", state.NewMemory())
	if err := start(t, cfg).wait(); err != nil {
		t.Fatal(err)
	}
	c.output("out", 0)
}

// A bounded run that begins over the offsets of a live one, and dies before its first commit, has fixed its ends and
// lost nothing of what else the offsets say.
func TestEndsKeepWhatTheOffsetsSay(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 1, "in", "out")
	first := rows(1, 50, 5)
	c.load(first...)
	storage, admin := state.NewMemory(), kadm.NewClient(c.client())
	live := start(t, c.config(passing(t), storage, newWitness(t)))
	c.output("out", len(first))
	live.end()
	committed := func() (kadm.Offset, task.Meta) {
		all, err := admin.FetchOffsets(t.Context(), "app")
		if err != nil {
			t.Fatal(err)
		}
		o, _ := all.Lookup("in", 0)
		m, err := task.DecodeMeta(o.Metadata)
		if err != nil {
			t.Fatal(err)
		}
		return o.Offset, m
	}
	at, want := committed()
	want.Notes = append(want.Notes, task.Note{Topic: task.NoteTopic("app-counts-changelog"), ID: 1, Stopped: 5, Watermark: 1, Highest: 1})
	want.Failed = task.Failed{Offsets: []int64{10, 20}, More: true}
	want.Formats = []task.FormatNote{{Hash: 1, Words: "one"}, {Hash: 2, Words: "two"}}
	at.Metadata = task.EncodeMeta(want)
	offsets := kadm.Offsets{}
	offsets.Add(at)
	if _, err := admin.CommitOffsets(t.Context(), "app", offsets); err != nil {
		t.Fatal(err)
	}
	cfg := c.config(passing(t), storage, newWitness(t))
	cfg.Bounded = &BoundedRun{Run: "r1"}
	cfg.Faults.At = func(s Step) {
		if s == commit.BeforePrepare {
			panic(errCrash)
		}
	}
	if err := start(t, cfg).wait(); err != errCrash {
		t.Fatal(err)
	}
	_, got := committed()
	want.Run, want.End, want.LogicalNow = "r1", at.At, got.LogicalNow
	for i := range want.Notes {
		if want.Notes[i].Stopped == task.Following && i < len(got.Notes) {
			want.Notes[i] = got.Notes[i]
		}
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("the offset says\n%+v, want\n%+v", got, want)
	}
}
