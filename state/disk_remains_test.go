package state

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// used is a state directory with all that a Disk makes.
func used(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "app")
	d := openDisk(t, dir)
	for _, name := range []string{"member-0", "note"} {
		if err := d.SetNote(name, "v"); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		s := open(t, d)
		fillKeyValue(t, s, 2000)
		closeAll(t, closer{s})
		if err := d.Quarantine("0_0"); err != nil {
			t.Fatal(err)
		}
	}
	s := open(t, d)
	fillKeyValue(t, s, 2000)
	closeAll(t, closer{s}, d)
	return dir
}

// copied is a copy of a state directory, for a test that spoils it.
func copied(t *testing.T, dir string) string {
	t.Helper()
	to := filepath.Join(t.TempDir(), filepath.Base(dir))
	if err := os.CopyFS(to, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	return to
}

// tree is all that is in a directory, with sizes and modes.
func tree(t *testing.T, dir string) (all []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		info, statErr := os.Lstat(path)
		if err == nil && statErr == nil {
			all = append(all, strings.Join([]string{path, info.Mode().String(), info.ModTime().String()}, " "))
		}
		return errors.Join(err, statErr)
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(content), 0o600)); err != nil {
		t.Fatal(err)
	}
}

// What a Disk makes is found, without a change, and removed whole.
func TestRemains(t *testing.T) {
	dir := used(t)
	write(t, filepath.Join(dir, notesDir, "note~"), "was being written")
	before := tree(t, dir)
	r, err := FindRemains(dir, "app")
	if err != nil || r == nil {
		t.Fatal(r, err)
	}
	if after := tree(t, dir); !slices.Equal(after, before) {
		t.Errorf("to look has changed the directory:\n%q\n%q", before, after)
	}
	if err := r.InUse(); err != nil {
		t.Error(err)
	}
	l, err := r.Lock()
	if err != nil {
		t.Fatal(err)
	}
	_, err = OpenDisk(dir, "app", DiskOptions{})
	wantError(t, err, ErrLocked)
	wantError(t, r.InUse(), ErrLocked, dir)
	if err := r.Remove(); err != nil {
		t.Error(err)
	}
	closeAll(t, l)
	if _, err := os.Lstat(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the directory is there still: %v", err)
	}
	if r, err := FindRemains(dir, "app"); r != nil || err != nil {
		t.Errorf("afterwards: %v, %v", r, err)
	}
}

// To ask whether a directory is in use makes nothing.
func TestRemainsWithoutALock(t *testing.T) {
	dir := used(t)
	if err := os.Remove(filepath.Join(dir, lockFile)); err != nil {
		t.Fatal(err)
	}
	before := tree(t, dir)
	r, err := FindRemains(dir, "app")
	if err != nil {
		t.Fatal(err)
	}
	if err := r.InUse(); err != nil || !slices.Equal(tree(t, dir), before) {
		t.Errorf("%v, before\n%q\nafter\n%q", err, before, tree(t, dir))
	}
}

// A directory that is not wholly the application's is left alone, and the error
// says what is wrong with it.
func TestRemainsOfOthers(t *testing.T) {
	whole := used(t)
	mark := `{"format":1,"application_id":"app","process_id":"p"}`
	for _, tt := range []struct {
		name     string
		spoil    func(t *testing.T, dir string)
		sentinel error
		mentions string
	}{
		{"no mark", func(t *testing.T, dir string) {
			write(t, filepath.Join(dir, "photo"), "")
			if err := os.Remove(filepath.Join(dir, processFile)); err != nil {
				t.Fatal(err)
			}
		}, ErrForeign, processFile},
		{"only a lock", func(t *testing.T, dir string) {
			os.RemoveAll(dir)
			write(t, filepath.Join(dir, lockFile), "")
		}, ErrForeign, processFile},
		{"another application", func(t *testing.T, dir string) {
			write(t, filepath.Join(dir, processFile), strings.Replace(mark, "app", "other", 2))
		}, ErrOtherApplication, "other"},
		{"another application, in the id alone", func(t *testing.T, dir string) {
			write(t, filepath.Join(dir, processFile), strings.Replace(mark, `"app"`, `"app2"`, 1))
		}, ErrOtherApplication, `"app2"`},
		{"a newer format", func(t *testing.T, dir string) {
			write(t, filepath.Join(dir, processFile), strings.Replace(mark, "1", "2", 1))
		}, ErrNewerFormat, "format 2"},
		{"a mark of nobody", func(t *testing.T, dir string) { write(t, filepath.Join(dir, processFile), "{}") }, ErrCorrupt, processFile},
		{"a mark without end", func(t *testing.T, dir string) {
			write(t, filepath.Join(dir, processFile), strings.Repeat(" ", noteMax+1))
		}, ErrForeign, processFile},
		{"a file beside", func(t *testing.T, dir string) { write(t, filepath.Join(dir, "photo"), "") }, ErrForeign, "photo"},
		{"a directory beside", func(t *testing.T, dir string) { write(t, filepath.Join(dir, "photos", "1"), "") }, ErrForeign, "photos"},
		{"a lock with something in it", func(t *testing.T, dir string) { write(t, filepath.Join(dir, lockFile), "x") }, ErrForeign, lockFile},
		{"a file among the tasks", func(t *testing.T, dir string) { write(t, filepath.Join(dir, tasksDir, "x"), "") }, ErrForeign, "tasks/x"},
		{"a directory among the notes", func(t *testing.T, dir string) { write(t, filepath.Join(dir, notesDir, "a", "b"), "") }, ErrForeign, "notes/a"},
		{"a file in a database", func(t *testing.T, dir string) { write(t, filepath.Join(dir, tasksDir, "0_0", "photo.jpg"), "") }, ErrForeign, "tasks/0_0/photo.jpg"},
		{"a directory in a database", func(t *testing.T, dir string) { write(t, filepath.Join(dir, tasksDir, "0_0", "1.sst", "x"), "") }, ErrForeign, "tasks/0_0/1.sst"},
		{"a directory in a quarantined one", func(t *testing.T, dir string) {
			write(t, filepath.Join(dir, quarantineDir, "0_0.1", "a", "x"), "")
		}, ErrForeign, "quarantine/0_0.1/a"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := copied(t, whole)
			tt.spoil(t, dir)
			before := tree(t, dir)
			r, err := FindRemains(dir, "app")
			wantError(t, err, tt.sentinel, tt.mentions, dir)
			if after := tree(t, dir); r != nil || !slices.Equal(after, before) {
				t.Errorf("%v, before\n%q\nafter\n%q", r, before, after)
			}
		})
	}
}

// No link is followed: not that of the directory, and none in it.
func TestRemainsBehindLinks(t *testing.T) {
	whole := used(t)
	for _, at := range []string{".", processFile, lockFile, notesDir, tasksDir, tasksDir + "/0_0", tasksDir + "/0_9", notesDir + "/note", tasksDir + "/0_0/000001.sst"} {
		t.Run(at, func(t *testing.T) {
			dir := copied(t, whole)
			path, aside := filepath.Join(dir, at), filepath.Join(t.TempDir(), "aside")
			if err := os.Rename(path, aside); err != nil {
				write(t, aside, "somebody's")
			}
			if err := os.Symlink(aside, path); err != nil {
				t.Fatal(err)
			}
			before, outside := tree(t, filepath.Dir(dir)), tree(t, aside)
			r, err := FindRemains(dir, "app")
			if r != nil || err == nil || !strings.Contains(err.Error(), filepath.Base(path)) {
				t.Errorf("got %v, %v", r, err)
			}
			if !slices.Equal(tree(t, filepath.Dir(dir)), before) || !slices.Equal(tree(t, aside), outside) {
				t.Error("something was changed")
			}
		})
	}
}

// What comes between looking and removing stays, in its directory.
func TestRemainsThatHaveGrown(t *testing.T) {
	dir := used(t)
	r, err := FindRemains(dir, "app")
	if err != nil {
		t.Fatal(err)
	}
	other := t.TempDir()
	write(t, filepath.Join(other, "photo"), "")
	late := filepath.Join(dir, notesDir, "late")
	if err := os.Symlink(other, late); err != nil {
		t.Fatal(err)
	}
	if err := r.Remove(); err == nil || !strings.Contains(err.Error(), notesDir) {
		t.Errorf("got %v", err)
	}
	for _, path := range []string{late, filepath.Join(other, "photo"), filepath.Join(dir, processFile)} {
		if _, err := os.Lstat(path); err != nil {
			t.Error(err)
		}
	}
}

// Nothing there is nothing to do, and nothing is made.
func TestRemainsOfNothing(t *testing.T) {
	empty := t.TempDir()
	for _, dir := range []string{empty, filepath.Join(empty, "none"), filepath.Join(empty, "none", "deeper")} {
		if r, err := FindRemains(dir, "app"); r != nil || err != nil {
			t.Errorf("%s: %v, %v", dir, r, err)
		}
	}
	if got := tree(t, empty); len(got) != 1 {
		t.Errorf("made: %q", got)
	}
	if _, err := FindRemains(filepath.Join(used(t), processFile), "app"); err == nil || !strings.Contains(err.Error(), "no directory") {
		t.Errorf("a file: %v", err)
	}
}
