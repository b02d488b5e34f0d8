package engine

import (
	"errors"
	"io/fs"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
)

// hangs is when a call that could wait for ever is given up.
const hangs = 30 * time.Second

// outcome is the error of a call that must return.
func outcome(t *testing.T, name string, call func() error) error {
	t.Helper()
	done := make(chan error, 1)
	go func() { done <- call() }()
	select {
	case err := <-done:
		return err
	case <-time.After(hangs):
		t.Fatalf("%s does not return", name)
		return nil
	}
}

// failing is a database in memory on which, once switched on, writes to the files that match fail with errno.
func failing(t *testing.T, files string, errno syscall.Errno) (Engine, *errorfs.Toggle) {
	t.Helper()
	disk := &errorfs.Toggle{Injector: errorfs.InjectorFunc(func(op errorfs.Op) error {
		if ok, _ := filepath.Match(files, filepath.Base(op.Path)); ok && op.Kind == errorfs.OpFileWrite {
			return &fs.PathError{Op: "write", Path: op.Path, Err: errno}
		}
		return nil
	})}
	v, err := newVolume(errorfs.Wrap(vfs.NewMem(), disk), "state", testSizes)
	if err != nil {
		t.Fatal(err)
	}
	e, err := v.Open("db")
	if err != nil {
		t.Fatal(err)
	}
	return e, disk
}

func oneKey(t *testing.T, e Engine) Batch {
	t.Helper()
	b := e.NewBatch()
	if err := b.Set([]byte("k"), []byte("v")); err != nil {
		t.Fatal(err)
	}
	return b
}

// Pebble flushes in the background and tries again for ever, without a word. Whoever needs the disk must hear of it, and
// nobody may wait.
func TestDiskThatFailsIsReported(t *testing.T) {
	for _, c := range []struct {
		name, files string
		errno       syscall.Errno
		advice      string
	}{
		{"full, tables", "*.sst", syscall.ENOSPC, "free space"},
		{"full, manifest", "MANIFEST-*", syscall.ENOSPC, "free space"},
		{"quota", "*.sst", syscall.EDQUOT, "free space"},
		{"broken", "*.sst", syscall.EIO, "check it"},
	} {
		t.Run(c.name, func(t *testing.T) {
			e, disk := failing(t, c.files, c.errno)
			if err := e.Apply(oneKey(t, e)); err != nil {
				t.Fatal(err)
			}
			for range getsFirst + 1 { // the last one holds on to the memtable
				if _, ok, err := e.Get(nil, []byte("k")); !ok || err != nil {
					t.Fatal(ok, err)
				}
			}
			disk.On()
			err := outcome(t, "Flush", e.Flush)
			if !errors.Is(err, c.errno) || !strings.Contains(err.Error(), c.advice) {
				t.Errorf("Flush: %v, want %v and what to do", err, c.errno)
			}
			for name, call := range map[string]func() error{
				"Apply":     func() error { return e.Apply(oneKey(t, e)) },
				"Flush":     e.Flush,
				"FlushSoon": e.FlushSoon,
			} {
				if err := outcome(t, name, call); !errors.Is(err, c.errno) {
					t.Errorf("%s: %v, want %v", name, err, c.errno)
				}
			}
			// Whether there is anything to complain about is Pebble's business, but it must come to an end.
			_ = outcome(t, "Close", e.Close)
		})
	}
}

// crashable opens a database on a volume of its own.
func crashable(t *testing.T) (*Volume, *pebbleEngine) {
	t.Helper()
	return crashableOf(t, testSizes)
}

func crashableOf(t *testing.T, sizes Sizes) (*Volume, *pebbleEngine) {
	t.Helper()
	v, err := CrashableVolume(sizes)
	if err != nil {
		t.Fatal(err)
	}
	e, err := v.Open("db")
	if err != nil {
		t.Fatal(err)
	}
	return v, e.(*pebbleEngine)
}

// A write that Pebble makes wait when the disk fails never returns. It must not take the engine's owner with it, nor be
// torn when there is space again; and until then nobody else may have the directory.
func TestStalledWriteIsLeftBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v, e := crashable(t)
		defer v.Close()
		space := make(chan struct{})
		time.AfterFunc(time.Minute, func() { e.fail(syscall.ENOSPC) })
		if err := e.wait(func() error { <-space; return nil }); !errors.Is(err, syscall.ENOSPC) {
			t.Errorf("a write that stalls: %v, want the failure", err)
		}
		if err := e.Close(); !errors.Is(err, syscall.ENOSPC) {
			t.Errorf("Close: %v, want the failure", err)
		}
		if _, err := v.Open("db"); err == nil || errors.Is(err, ErrCorrupt) || !strings.Contains(err.Error(), "free space") {
			t.Errorf("Open while the write waits: %v, want to hear of the disk", err)
		}
		close(space)
		synctest.Wait()
		again, err := v.Open("db")
		if err != nil {
			t.Fatalf("Open after the write: %v", err)
		}
		if err := again.Close(); err != nil {
			t.Fatal(err)
		}
	})
}

// A call that returns by itself, if late, is not left behind by a failure: the engine can be closed and opened again.
func TestLateWriteIsWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v, e := crashable(t)
		defer v.Close()
		e.fail(ErrCorrupt)
		if err := e.wait(func() error { time.Sleep(leaveAfter / 2); return nil }); err != nil {
			t.Errorf("a write that comes late: %v", err)
		}
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
}

// A file system that cannot say how full it is can be used.
func TestDiskOfUnknownSize(t *testing.T) {
	unknown := errorfs.InjectorFunc(func(op errorfs.Op) error {
		if op.Kind == errorfs.OpGetDiskUsage {
			return syscall.ENOSYS
		}
		return nil
	})
	v, err := newVolume(errorfs.Wrap(vfs.NewMem(), unknown), "state", testSizes)
	if err != nil {
		t.Fatal(err)
	}
	e, err := v.Open("db")
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(e.Apply(oneKey(t, e)), e.Flush(), e.Close(), v.Close()); err != nil {
		t.Error(err)
	}
}
