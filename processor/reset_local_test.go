package processor_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/millrace/millrace/processor"
	"github.com/millrace/millrace/state"
)

// paths is all that is in a directory.
func paths(t *testing.T, dir string) (all []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		all = append(all, strings.TrimPrefix(path, dir)+" "+e.Type().String())
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func mustWrite(t *testing.T, path, content string) {
	t.Helper()
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(content), 0o600)); err != nil {
		t.Fatal(err)
	}
}

// ownState is what the application leaves on a disk.
func ownState(t *testing.T, dir string) {
	t.Helper()
	disk, err := state.OpenDisk(dir, "app", state.DiskOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(disk.SetNote("member-0", "m"), disk.Close()); err != nil {
		t.Fatal(err)
	}
}

// A plan changes nothing on the disk, and what is not the application's is
// refused, whatever it is called.
func TestPlanningTouchesNothing(t *testing.T) {
	c := newCluster(t, "words")
	for _, tt := range []struct {
		name string
		make func(t *testing.T, stateDir string) // app is its directory there
		want string                              // of the error; empty: nothing to do
		left bool                                // nothing, but for the state
	}{
		{"no state directory", func(*testing.T, string) {}, "", false},
		{"none of the application", func(t *testing.T, dir string) { mustWrite(t, filepath.Join(dir, "other", "x"), "") }, "", false},
		{"an empty one", func(t *testing.T, dir string) { must(t, os.MkdirAll(filepath.Join(dir, "app"), 0o755)) }, "", false},
		{"its own", func(t *testing.T, dir string) { ownState(t, filepath.Join(dir, "app")) }, "", true},
		{"its own, on the way out", func(t *testing.T, dir string) { ownState(t, filepath.Join(dir, "app~reset")) }, "", true},
		{"somebody's", func(t *testing.T, dir string) { mustWrite(t, filepath.Join(dir, "app", "main.go"), "") }, "process.json", false},
		{"its own and somebody's", func(t *testing.T, dir string) {
			ownState(t, filepath.Join(dir, "app"))
			mustWrite(t, filepath.Join(dir, "app", "notes.txt"), "")
		}, "notes.txt", false},
		{"somebody's, on the way out", func(t *testing.T, dir string) { mustWrite(t, filepath.Join(dir, "app~reset", "main.go"), "") }, "process.json", false},
		{"a file", func(t *testing.T, dir string) { mustWrite(t, filepath.Join(dir, "app"), "") }, "no directory", false},
		{"a link", func(t *testing.T, dir string) {
			ownState(t, filepath.Join(dir, "real"))
			must(t, os.Symlink(filepath.Join(dir, "real"), filepath.Join(dir, "app")))
		}, "symbolic link", false},
		{"a link that leads nowhere", func(t *testing.T, dir string) {
			must(t, os.MkdirAll(dir, 0o755))
			must(t, os.Symlink(filepath.Join(dir, "none"), filepath.Join(dir, "app")))
		}, "symbolic link", false},
		{"the state directory is a link", func(t *testing.T, dir string) {
			ownState(t, filepath.Join(dir+"-real", "app"))
			must(t, os.Symlink(dir+"-real", dir))
		}, "symbolic link", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			cfg := c.resetConfig()
			cfg.StateDir = filepath.Join(dir, "state")
			tt.make(t, cfg.StateDir)
			before := paths(t, dir)
			plan, err := processor.PlanReset(t.Context(), cfg)
			if after := paths(t, dir); !slices.Equal(after, before) {
				t.Errorf("before %q, after %q", before, after)
			}
			switch {
			case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
				t.Errorf("got %v, want %q", err, tt.want)
			case tt.want == "" && (err != nil || plan.Nothing() == tt.left):
				t.Errorf("got %v, %v", plan, err)
			case tt.left:
				c.execute(t, plan, dir)
			}
		})
	}
}

// execute executes a plan of which only the state is left.
func (c *cluster) execute(t *testing.T, plan *processor.ResetPlan, dir string) {
	t.Helper()
	if err := plan.Execute(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	if left := paths(t, filepath.Join(dir, "state")); len(left) != 1 {
		t.Errorf("left: %q", left)
	}
}

// What has changed since the plan was made is seen before anything is deleted,
// in the cluster or here.
func TestStateThatChangesAfterThePlan(t *testing.T) {
	t.Parallel()
	c := newCluster(t, "words", "counts", "dead")
	c.produce(word("a", "x"))
	if err := c.run(countWords); err != nil {
		t.Fatal(err)
	}
	own := filepath.Join(c.cfg.StateDir, "app")
	for _, tt := range []struct {
		name, want string
		change     func(t *testing.T)
		back       func(t *testing.T)
	}{
		{"somebody's file", "photo", func(t *testing.T) { mustWrite(t, filepath.Join(own, "photo"), "") }, func(t *testing.T) { must(t, os.Remove(filepath.Join(own, "photo"))) }},
		{"a link", "symbolic link", func(t *testing.T) {
			must(t, os.Rename(own, own+"-real"))
			must(t, os.Symlink(own+"-real", own))
		}, func(t *testing.T) {
			must(t, os.Remove(own))
			must(t, os.Rename(own+"-real", own))
		}},
		{"another application", `"other"`, func(t *testing.T) {
			must(t, os.Rename(own, own+"-real"))
			disk, err := state.OpenDisk(own, "other", state.DiskOptions{})
			if err != nil {
				t.Fatal(err)
			}
			disk.Close()
		}, func(t *testing.T) {
			os.RemoveAll(own)
			must(t, os.Rename(own+"-real", own))
		}},
		{"the application runs", "in use", nil, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			plan := c.planReset(c.resetConfig())
			if tt.change == nil {
				disk, err := state.OpenDisk(own, "app", state.DiskOptions{})
				if err != nil {
					t.Fatal(err)
				}
				defer disk.Close()
			} else {
				tt.change(t)
				defer tt.back(t)
			}
			before := paths(t, c.cfg.StateDir)
			if err := plan.Execute(t.Context(), nil); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
			if after := paths(t, c.cfg.StateDir); !slices.Equal(after, before) {
				t.Errorf("before %q, after %q", before, after)
			}
			if !c.topics().Has("app-totals-changelog") {
				t.Fatal("the changelog is gone")
			}
		})
	}
	plan := c.planReset(c.resetConfig())
	if err := os.RemoveAll(own); err != nil {
		t.Fatal(err)
	}
	var done []string
	if err := plan.Execute(t.Context(), func(step string) { done = append(done, step) }); err != nil || len(done) != 2 {
		t.Errorf("with the state gone: %v, %q", err, done)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
