package worker

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/millrace/millrace/processor/internal/graph"
	"github.com/millrace/millrace/processor/internal/task"
	"github.com/millrace/millrace/state"
)

// again runs counting on a storage that has seen some input, after change, and
// checks that the results go on as if nothing had happened.
func again(t *testing.T, storage func() state.Storage, change func(*cluster, *Config) []row) *witness {
	t.Helper()
	c := newCluster(t, 1, "in", "out")
	first := rows(1, 200, 5)
	c.load(first...)
	s := storage()
	p := start(t, c.config(counting(t, graph.ErrorPolicy{}), s, newWitness(t)))
	c.output("out", len(first))
	p.end()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	w := newWitness(t)
	cfg := c.config(counting(t, graph.ErrorPolicy{}), nil, w)
	first = append(first, change(c, &cfg)...)
	if cfg.Storage == nil {
		cfg.Storage = storage()
	}
	second := rows(1, 50, 5)
	c.load(second...)
	p = start(t, cfg)
	c.checkCounts(append(first, second...))
	p.end()
	if err := cfg.Storage.Close(); err != nil {
		t.Fatal(err)
	}
	return w
}

func memory() func() state.Storage {
	m := state.NewMemory()
	return func() state.Storage { return m }
}

func mustRebuild(t *testing.T, w *witness, rebuilt bool, why string) {
	t.Helper()
	r := w.restored[task.ID{}]
	if r.Rebuilt != rebuilt {
		t.Errorf("restored %+v", r)
	}
	if why == "" {
		return
	}
	for _, warning := range w.warnings {
		if strings.Contains(warning.Error(), why) {
			return
		}
	}
	t.Errorf("no warning says %q: %v", why, w.warnings)
}

func TestVolumeInUse(t *testing.T) {
	t.Parallel()
	mustRebuild(t, again(t, memory(), func(*cluster, *Config) []row { return nil }), false, "")
}

// A state that missed a deletion brings the deleted key back to life.
func TestVolumeTooOld(t *testing.T) {
	t.Parallel()
	w := again(t, memory(), func(_ *cluster, cfg *Config) []row {
		cfg.Now = func() time.Time { return time.Now().Add(23 * time.Hour) }
		return nil
	})
	mustRebuild(t, w, true, "keeps deletions for")
}

// What the log has lost behind the state's position cannot be made up for: here
// another instance has gone on, and the log was cut off at its beginning.
func TestVolumeBehindTheLog(t *testing.T) {
	t.Parallel()
	w := again(t, memory(), func(c *cluster, cfg *Config) []row {
		between := rows(1, 20, 5)
		c.load(between...)
		other := start(t, c.config(cfg.Graph, state.NewMemory(), newWitness(t)))
		c.output("out", 220)
		other.end()
		cut := kadm.Offsets{}
		cut.Add(kadm.Offset{Topic: "app-counts-changelog", Partition: 0, At: c.PartitionInfo("app-counts-changelog", 0).HighWatermark - 7})
		if _, err := kadm.NewClient(c.client()).DeleteRecords(context.Background(), cut); err != nil {
			t.Fatal(err)
		}
		return between
	})
	mustRebuild(t, w, true, "the log begins at")
}

// A changelog that was deleted is not replaced by an empty one of the same name: the start is refused, and the local state
// stays as it is. The loss is accepted by name only, and then the store begins empty.
func TestVolumeOfAnotherChangelog(t *testing.T) {
	t.Parallel()
	for _, lost := range []bool{false, true} {
		t.Run(fmt.Sprintf("disk lost %v", lost), func(t *testing.T) {
			c := newCluster(t, 1, "in", "out")
			c.load(rows(1, 10, 2)...)
			m := state.NewMemory()
			p := start(t, c.config(counting(t, graph.ErrorPolicy{}), m, newWitness(t)))
			c.output("out", 10)
			p.end()
			if _, err := kadm.NewClient(c.client()).DeleteTopic(context.Background(), "app-counts-changelog"); err != nil {
				t.Fatal(err)
			}
			kept := m
			if lost {
				kept = state.NewMemory()
			}
			for range 2 {
				mustFail(t, c.config(counting(t, graph.ErrorPolicy{}), kept, newWitness(t)), "app-counts-changelog", "made anew", "AcceptRemade", "start the application over")
			}
			cfg := c.config(counting(t, graph.ErrorPolicy{}), kept, newWitness(t))
			cfg.AcceptRemade = []string{"app-counts-changelog"}
			p = start(t, cfg)
			c.load(rows(1, 10, 2)...)
			c.output("out", 20)
			p.end()
			start(t, c.config(counting(t, graph.ErrorPolicy{}), kept, newWitness(t))).end() // accepted once, it is the application's
		})
	}
}

// A changelog that is made anew while the application runs is noticed before a commit is believed: the worker ends, and
// what it had on disk stays.
func TestChangelogMadeAnewWhileRunning(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 1, "in", "out")
	c.load(rows(1, 200, 20)...)
	m := state.NewMemory()
	p := start(t, c.config(counting(t, graph.ErrorPolicy{}), m, newWitness(t)))
	c.output("out", 200)
	adm := kadm.NewClient(c.client())
	if _, err := adm.DeleteTopic(context.Background(), "app-counts-changelog"); err != nil {
		t.Fatal(err)
	}
	compacted := map[string]*string{"cleanup.policy": kadm.StringPtr("compact"), "retention.ms": kadm.StringPtr("-1"), "retention.bytes": kadm.StringPtr("-1"), "message.timestamp.type": kadm.StringPtr("CreateTime")}
	if _, err := adm.CreateTopic(context.Background(), 1, 1, compacted, "app-counts-changelog"); err != nil {
		t.Fatal(err)
	}
	c.load(rows(1, 10, 5)...)
	if err := p.wait(); err == nil || !strings.Contains(err.Error(), "made anew") || !strings.Contains(err.Error(), "app-counts-changelog") {
		t.Errorf("the worker ended with %v", err)
	}
	mustFail(t, c.config(counting(t, graph.ErrorPolicy{}), m, newWitness(t)), "app-counts-changelog", "made anew")
	s, err := m.Open("0_0", state.Identity{ApplicationID: "app", Task: "0_0"}, counting(t, graph.ErrorPolicy{}).Subtopologies()[0].Stores)
	if err != nil {
		t.Fatal(err)
	}
	if at, _ := s.Position("counts"); len(at.Inputs) != 1 || at.Inputs[0].Offset != 200 {
		t.Errorf("the local state is at %+v, want offset 200", at.Inputs)
	}
}

func TestVolumeDamaged(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	disk := func() state.Storage {
		d, err := state.OpenDisk(dir, "app", state.DiskOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	w := again(t, disk, func(*cluster, *Config) []row {
		flip(t, filepath.Join(dir, "tasks", "0_0"))
		return nil
	})
	mustRebuild(t, w, true, "")
}

// flip damages every table file below dir.
func flip(t *testing.T, dir string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.sst"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no table files in %s: %v", dir, err)
	}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		for i := range min(len(b), 200) {
			b[i] ^= 0xff
		}
		if err := os.WriteFile(f, b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
