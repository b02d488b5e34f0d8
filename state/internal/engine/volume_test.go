package engine

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"syscall"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
)

func TestVolumeFiles(t *testing.T) {
	v, err := CrashableVolume(testSizes)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := v.Read("absent"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Read of an absent file: %v, want ErrNotExist", err)
	}
	if names, err := v.List("absent"); names != nil || err != nil {
		t.Errorf("List of an absent directory: %q, %v", names, err)
	}
	if err := v.Remove("absent"); err != nil {
		t.Errorf("Remove of an absent file: %v", err)
	}
	for _, c := range []string{"first", "second"} {
		if err := v.Write(filepath.Join("a", "f"), []byte(c)); err != nil {
			t.Fatal(err)
		}
	}
	// Everything synced must be there after a crash that keeps nothing else.
	v = crashed(t, v)
	if b, err := v.Read(filepath.Join("a", "f")); err != nil || string(b) != "second" {
		t.Errorf("after a crash: %q, %v; want second", b, err)
	}
	if err := v.Move("a", filepath.Join("x", "y")); err != nil {
		t.Fatal(err)
	}
	v = crashed(t, v)
	if b, err := v.Read(filepath.Join("x", "y", "f")); err != nil || string(b) != "second" {
		t.Errorf("after Move and a crash: %q, %v; want second", b, err)
	}
	if names, err := v.List("x"); err != nil || !slices.Equal(names, []string{"y"}) {
		t.Errorf("List = %q, %v; want y", names, err)
	}
	if err := v.Remove("x"); err != nil {
		t.Fatal(err)
	}
	v = crashed(t, v)
	if _, err := v.Read(filepath.Join("x", "y", "f")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("after Remove and a crash: %v, want ErrNotExist", err)
	}
}

func crashed(t *testing.T, v *Volume) *Volume {
	t.Helper()
	w, err := v.Crash(0, 0)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// A database that was flushed has its content after a crash; what was not flushed may be gone, but not in part.
func TestCrashKeepsPrefix(t *testing.T) {
	for seed := range uint64(30) {
		v, e := crashable(t)
		b := e.NewBatch()
		for i := range 20 {
			b.Reset()
			for _, k := range []string{"a", "b", "c"} {
				if err := b.Set([]byte(k), []byte{byte(i)}); err != nil {
					t.Fatal(err)
				}
			}
			if err := e.Apply(b); err != nil {
				t.Fatal(err)
			}
			var err error
			if i == 9 {
				err = e.Flush()
			}
			if i == 15 {
				err = e.FlushSoon()
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		w, err := v.Crash(int(seed*7%101), seed)
		if err != nil {
			t.Fatal(err)
		}
		checkPrefix(t, seed, w)
		if err := errors.Join(e.Close(), v.Close()); err != nil {
			t.Fatal(err)
		}
	}
}

func checkPrefix(t *testing.T, seed uint64, v *Volume) {
	t.Helper()
	e, err := v.Open("db")
	if err != nil {
		t.Fatalf("seed %d: %v", seed, err)
	}
	var values []byte
	err = e.Scan([]byte("a"), []byte("z"), func(_, v []byte) error {
		values = append(values, v...)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(values) != 3 || values[0] < 9 || values[0] != values[1] || values[1] != values[2] {
		t.Errorf("seed %d: the keys hold batches %d, want one batch, at least the flushed 9", seed, values)
	}
	if err := errors.Join(e.Close(), v.Close()); err != nil {
		t.Fatal(err)
	}
}

func TestLock(t *testing.T) {
	for name, open := range map[string]func() (*Volume, error){
		"disk":   func() (*Volume, error) { return DiskVolume(t.TempDir(), testSizes) },
		"memory": func() (*Volume, error) { return CrashableVolume(testSizes) },
	} {
		t.Run(name, func(t *testing.T) {
			v, err := open()
			if err != nil {
				t.Fatal(err)
			}
			first, err := v.Lock("LOCK")
			if err != nil {
				t.Fatal(err)
			}
			if _, err := v.Lock("LOCK"); !errors.Is(err, ErrLocked) {
				t.Errorf("second lock: %v, want ErrLocked", err)
			}
			if err := first.Close(); err != nil {
				t.Fatal(err)
			}
			again, err := v.Lock("LOCK")
			if err != nil {
				t.Fatalf("lock after release: %v", err)
			}
			if err := errors.Join(again.Close(), v.Close()); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// readOnly is a file system mounted read-only.
func readOnly(under vfs.FS) vfs.FS {
	return errorfs.Wrap(under, errorfs.InjectorFunc(func(op errorfs.Op) error {
		if op.Kind.ReadOrWrite() == errorfs.OpIsWrite {
			return &fs.PathError{Op: "write", Path: op.Path, Err: syscall.EROFS}
		}
		return nil
	}))
}

func TestReadOnly(t *testing.T) {
	mem := vfs.NewMem()
	if _, err := newVolume(readOnly(mem), "state", testSizes); !errors.Is(err, ErrReadOnly) {
		t.Errorf("new volume: %v, want ErrReadOnly", err)
	}
	v, err := newVolume(mem, "state", testSizes)
	if err != nil {
		t.Fatal(err)
	}
	e, err := v.Open("db")
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	v.fs = readOnly(mem)
	_, open := v.Open("db")
	_, lock := v.Lock("LOCK")
	for name, err := range map[string]error{
		"Open": open, "Lock": lock, "Write": v.Write("f", nil), "Move": v.Move("db", "x"), "Remove": v.Remove("db"),
	} {
		if !errors.Is(err, ErrReadOnly) {
			t.Errorf("%s: %v, want ErrReadOnly", name, err)
		}
	}
}

func TestNewerPebble(t *testing.T) {
	v := flushedVolume(t)
	names, err := v.List("db")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if ok, _ := filepath.Match("marker.format-version.*", name); !ok {
			continue
		}
		if err := v.Write(filepath.Join("db", "marker.format-version.999999.999"), nil); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := v.Open("db"); !errors.Is(err, ErrNewerFormat) {
		t.Errorf("Open: %v, want ErrNewerFormat", err)
	}
}

// However many databases are open, the memtables of the next ones are no larger than a fair part.
func TestMemtableShare(t *testing.T) {
	sizes := Sizes{BlockCacheBytes: 512 << 20, MemtableBytes: 16 << 20}
	for n, want := range map[int64]int{0: 16 << 20, 1: 16 << 20, 16: 16 << 20, 32: 8 << 20, 256: 1 << 20, 5000: memtableLeast} {
		if got := sizes.memtableBytes(n); got != want {
			t.Errorf("with %d databases open a memtable has %d bytes, want %d", n, got, want)
		}
	}
	small := Sizes{BlockCacheBytes: 1 << 20, MemtableBytes: 64 << 10}
	if got := small.memtableBytes(100); got != 64<<10 {
		t.Errorf("a memtable has %d bytes, want the 64 KiB that were asked for", got)
	}
}

// What is lent is the cache's, until it is taken back.
func TestReserve(t *testing.T) {
	sizes := testSizes
	sizes.LentBytes = 3 << 20
	v, e := crashableOf(t, sizes)
	fillUp(t, e, 2<<20)
	full := v.shared.blocks.Size()
	if all := sizes.BlockCacheBytes + sizes.LentBytes; full <= sizes.BlockCacheBytes || full > all {
		t.Errorf("%d bytes are cached; the cache has %d, and %d that are lent", full, sizes.BlockCacheBytes, sizes.LentBytes)
	}
	release := v.Reserve(int(sizes.LentBytes))
	if n := v.shared.blocks.Size(); n > sizes.BlockCacheBytes {
		t.Errorf("%d bytes are cached after what was lent has been taken back", n)
	}
	release()
	fillUp(t, e, 2<<20)
	if n := v.shared.blocks.Size(); n <= sizes.BlockCacheBytes {
		t.Errorf("%d bytes are cached after what was taken back is lent again", n)
	}
	if err := errors.Join(e.Close(), v.Close()); err != nil {
		t.Fatal(err)
	}
}

// fillUp writes so many bytes, flushes and reads them.
func fillUp(t *testing.T, e Engine, bytes int) {
	t.Helper()
	value := make([]byte, 1<<10)
	b := e.NewBatch()
	for i := range bytes / len(value) {
		if err := b.Set(fmt.Appendf(nil, "key-%d", i), value); err != nil {
			t.Fatal(err)
		}
	}
	err := errors.Join(e.Apply(b), e.Flush(), e.Scan([]byte{0}, []byte{0xFF}, func(_, _ []byte) error { return nil }))
	if err != nil {
		t.Fatal(err)
	}
}

// A database counts while it is open, and not after an opening that failed.
func TestOpenDatabasesAreCounted(t *testing.T) {
	v, err := CrashableVolume(testSizes)
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	a, err := v.Open("a")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := v.Open("a"); err == nil {
		t.Error("one database is open twice")
	}
	if n := v.shared.open.Load(); n != 1 {
		t.Errorf("%d databases count as open, one is", n)
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	if n := v.shared.open.Load(); n != 0 {
		t.Errorf("%d databases count as open, all are closed", n)
	}
}
