package state

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

func openDisk(t *testing.T, dir string) *Disk {
	t.Helper()
	d, err := OpenDisk(dir, "app", DiskOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func closeAll(t *testing.T, closers ...interface{ Close() error }) {
	t.Helper()
	for _, c := range closers {
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// wantError checks the sentinel and that the text names what the reader has to know.
func wantError(t *testing.T, err, sentinel error, names ...string) {
	t.Helper()
	if !errors.Is(err, sentinel) {
		t.Fatalf("got %v, want %v", err, sentinel)
	}
	for _, name := range names {
		if !strings.Contains(err.Error(), name) {
			t.Errorf("%q does not mention %q", err, name)
		}
	}
}

func TestDiskKeepsProcessAndNotes(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "deep", "state")
	d := openDisk(t, dir)
	id := d.ProcessID()
	if !regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`).MatchString(id) {
		t.Errorf("process id %q is no UUID", id)
	}
	if v, err := d.Note("member"); v != "" || err != nil {
		t.Errorf("unset note = %q, %v", v, err)
	}
	for _, v := range []string{"one", "two"} {
		if err := d.SetNote("member", v); err != nil {
			t.Fatal(err)
		}
	}
	closeAll(t, d)
	d = openDisk(t, dir)
	defer closeAll(t, d)
	if d.ProcessID() != id {
		t.Errorf("process id %q after reopening, was %q", d.ProcessID(), id)
	}
	if v, err := d.Note("member"); v != "two" || err != nil {
		t.Errorf("note = %q, %v; want two", v, err)
	}
}

func TestNotesAreChecked(t *testing.T) {
	for name, s := range map[string]Storage{"memory": NewMemory(), "disk": openDisk(t, t.TempDir())} {
		if err := s.SetNote("../escape", "x"); err == nil {
			t.Errorf("%s: a note outside the directory is accepted", name)
		}
		if _, err := s.Note("a/b"); err == nil {
			t.Errorf("%s: a note with a slash is accepted", name)
		}
		if err := s.SetNote("big", strings.Repeat("x", noteMax+1)); err == nil {
			t.Errorf("%s: a note of %d bytes is accepted", name, noteMax+1)
		}
		if err := s.SetNote("n", "v"); err != nil {
			t.Error(err)
		}
		if v, err := s.Note("n"); v != "v" || err != nil {
			t.Errorf("%s: note = %q, %v", name, v, err)
		}
		closeAll(t, s)
	}
}

// A note must not be lost because another one's name is what it is called while it is written.
func TestNotesDoNotOverwriteEachOther(t *testing.T) {
	d := openDisk(t, t.TempDir())
	defer closeAll(t, d)
	want := map[string]string{"a.tmp": "1", "a.new": "2", "a-": "3", "a": "4"}
	for _, name := range []string{"a.tmp", "a.new", "a-", "a"} {
		if err := d.SetNote(name, want[name]); err != nil {
			t.Fatal(err)
		}
	}
	for name, v := range want {
		if got, err := d.Note(name); got != v || err != nil {
			t.Errorf("note %q = %q, %v; want %q", name, got, err, v)
		}
	}
}

func TestOpenDiskRefuses(t *testing.T) {
	for _, c := range []struct {
		name, process string
		want          error
		mentions      []string
	}{
		{"other application", `{"format":1,"application_id":"other","process_id":"p"}`, ErrOtherApplication, []string{`"other"`, `"app"`}},
		{"newer format", `{"format":2,"application_id":"app","process_id":"p"}`, ErrNewerFormat, []string{"format 2"}},
		{"damaged", `{"format":1,"applic`, ErrCorrupt, []string{"process.json"}},
		{"empty", ``, ErrCorrupt, []string{"process.json"}},
		{"without id", `{"format":1,"application_id":"app"}`, ErrCorrupt, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, processFile), []byte(c.process), 0o600); err != nil {
				t.Fatal(err)
			}
			for range 2 { // the second time too: a refusal must not keep the lock
				_, err := OpenDisk(dir, "app", DiskOptions{})
				wantError(t, err, c.want, append(c.mentions, dir)...)
			}
		})
	}
	if _, err := OpenDisk(t.TempDir(), "", DiskOptions{}); err == nil {
		t.Error("an empty application id is accepted")
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenDisk(file, "app", DiskOptions{}); err == nil {
		t.Error("a file is accepted as directory")
	}
}

func TestOpenDiskWithoutPermission(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Skip("root may write everywhere; the engine's tests cover read-only file systems")
	}
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o500); err != nil {
		t.Fatal(err)
	}
	_, err := OpenDisk(dir, "app", DiskOptions{})
	wantError(t, err, ErrReadOnly, dir)
}

// childDirectory tells a child process of the test which directory to open.
const childDirectory = "MILLRACE_TEST_OPEN_DISK"

// The lock must hold against another process, and go with its holder.
func TestDiskLock(t *testing.T) {
	if dir := os.Getenv(childDirectory); dir != "" {
		_, err := OpenDisk(dir, "app", DiskOptions{})
		fmt.Printf("locked=%v: %v\n", errors.Is(err, ErrLocked), err)
		return
	}
	dir := t.TempDir()
	d := openDisk(t, dir)
	_, err := OpenDisk(dir, "app", DiskOptions{})
	wantError(t, err, ErrLocked, dir)
	child := func() string {
		c := exec.Command(os.Args[0], "-test.run=^TestDiskLock$")
		c.Env = append(os.Environ(), childDirectory+"="+dir)
		out, err := c.CombinedOutput()
		if err != nil {
			t.Fatalf("child: %v: %s", err, out)
		}
		return string(out)
	}
	if out := child(); !strings.Contains(out, "locked=true") || !strings.Contains(out, "another process") || !strings.Contains(out, dir) {
		t.Errorf("while this process holds the lock, another one says %q", out)
	}
	closeAll(t, d)
	if out := child(); !strings.Contains(out, "locked=false: <nil>") {
		t.Errorf("after the lock is released, another process says %q", out)
	}
	closeAll(t, openDisk(t, dir))
}

func TestStorageOpensATaskOnce(t *testing.T) {
	for name, storage := range map[string]Storage{"memory": NewMemory(), "disk": openDisk(t, t.TempDir())} {
		t.Run(name, func(t *testing.T) {
			s := open(t, storage)
			_, err := storage.Open("0_0", Identity{"app", "0_0"}, nil)
			wantError(t, err, ErrLocked, "0_0")
			wantError(t, storage.Remove("0_0"), ErrLocked, "0_0")
			wantError(t, storage.Quarantine("0_0"), ErrLocked, "0_0")
			if _, err := storage.Open("../0_1", Identity{"app", "../0_1"}, nil); err == nil {
				t.Error("a task outside the directory is accepted")
			}
			closeAll(t, closer{s}, closer{s})
			closeAll(t, closer{open(t, storage)}, storage)
		})
	}
}

type closer struct{ s *Stores }

func (c closer) Close() error { return c.s.Close(true) }

func TestDiskRefusesOtherIdentity(t *testing.T) {
	dir := t.TempDir()
	d := openDisk(t, dir)
	closeAll(t, closer{open(t, d)})
	_, err := d.Open("0_0", Identity{"other", "0_0"}, nil)
	wantError(t, err, ErrOtherApplication, `"app"`, `"other"`)
	// A task's directory that was renamed to another task's.
	if err := os.Rename(filepath.Join(dir, tasksDir, "0_0"), filepath.Join(dir, tasksDir, "0_1")); err != nil {
		t.Fatal(err)
	}
	_, err = d.Open("0_1", Identity{"app", "0_1"}, nil)
	wantError(t, err, ErrIdentity, "0_0", "0_1")
	closeAll(t, d)
}

// A damaged table is noticed, put aside, and stays until the rebuild has succeeded.
func TestQuarantine(t *testing.T) {
	dir := t.TempDir()
	d := openDisk(t, dir)
	defer closeAll(t, d)
	s := open(t, d)
	fillKeyValue(t, s, 2000)
	closeAll(t, closer{s})
	flipTables(t, filepath.Join(dir, tasksDir, "0_0"))
	wantError(t, readAll(t, d), ErrCorrupt, "0_0")
	for range quarantinedMax + 2 {
		if err := d.Quarantine("0_0"); err != nil {
			t.Fatal(err)
		}
		s = open(t, d)
		if s.ChangelogNext("kv") != 0 {
			t.Error("the store is not empty after Quarantine")
		}
		closeAll(t, closer{s})
	}
	aside, err := os.ReadDir(filepath.Join(dir, quarantineDir))
	if err != nil || len(aside) != quarantinedMax {
		t.Errorf("%d copies are aside, %v; want %d", len(aside), err, quarantinedMax)
	}
	s = open(t, d)
	if err := s.FinishRestore(); err != nil {
		t.Fatal(err)
	}
	if aside, _ := os.ReadDir(filepath.Join(dir, quarantineDir)); len(aside) != 0 {
		t.Errorf("%d copies are aside after the rebuild", len(aside))
	}
	closeAll(t, closer{s})
}

// readAll opens task 0_0 and reads its key-value store, and returns the first error.
func readAll(t *testing.T, d *Disk) error {
	t.Helper()
	s, err := d.Open("0_0", Identity{"app", "0_0"}, testSpecs())
	if err != nil {
		return err
	}
	kv, err := openKV(s)
	if err == nil {
		for range kv.All() {
			continue
		}
		err = kv.Err()
	}
	if err != nil {
		if _, prepareErr := s.Prepare(nil, ""); !errors.Is(prepareErr, ErrCorrupt) {
			t.Errorf("Prepare after damage was found: %v", prepareErr)
		}
	}
	_ = s.Close(true) // may complain about the damage
	return err
}

// flipTables changes a byte in the middle of each table of a database.
func flipTables(t *testing.T, dir string) {
	t.Helper()
	tables, err := filepath.Glob(filepath.Join(dir, "*.sst"))
	if err != nil || len(tables) == 0 {
		t.Fatalf("no tables in %s: %v", dir, err)
	}
	for _, name := range tables {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		b[len(b)/2] ^= 1
		if err := os.WriteFile(name, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}
