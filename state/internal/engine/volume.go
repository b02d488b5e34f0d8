package engine

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

const (
	// openFilesMax bounds the table files one process keeps open, over all its databases.
	openFilesMax = 1000
	// memtableLeast is the smallest memtable that many databases have.
	memtableLeast = 256 << 10
	// crashableRoot is where a volume in memory begins.
	crashableRoot = "state"
)

// Sizes are the memory bounds of the databases of one volume.
type Sizes struct {
	// BlockCacheBytes is the size of the block cache that all databases share. Pebble takes the memory of memtables
	// from it: one that is not larger than they are caches nothing, not even indexes and filters.
	BlockCacheBytes int64
	// LentBytes are the block cache's, too, as far as Reserve has not taken them back.
	LentBytes int64
	// MemtableBytes is the size of one memtable; a database has up to four. Where so many databases are open that one
	// of each would take more than half of the block cache, the next one to be opened has smaller ones.
	MemtableBytes int
}

// Volume is a directory on a disk, or on a file system in memory that can crash: small files, and databases that
// share one block cache. Names are slash-free or joined with filepath.Join, relative to the directory. Its methods
// may be called from several goroutines as long as no two of them work on one name.
type Volume struct {
	fs     vfs.FS
	dir    string
	sizes  Sizes
	shared *caches
}

type caches struct {
	blocks *pebble.Cache
	files  *pebble.FileCache
	sizes  Sizes
	open   atomic.Int64 // databases
	left   sync.Map     // directories of databases that Close left open
}

// memtableBytes is the size of a memtable where n databases are open. Those that were opened before, when there were
// fewer, keep theirs, so that all together still grow with n, but only as its logarithm.
func (s Sizes) memtableBytes(n int64) int {
	return min(s.MemtableBytes, max(memtableLeast, int(s.BlockCacheBytes/2/max(n, 1))))
}

// DiskVolume returns the volume of an absolute directory and makes the directory.
func DiskVolume(dir string, sizes Sizes) (*Volume, error) {
	return newVolume(vfs.Default, dir, sizes)
}

// CrashableVolume returns an empty volume in memory.
func CrashableVolume(sizes Sizes) (*Volume, error) {
	return newVolume(vfs.NewCrashableMem(), crashableRoot, sizes)
}

func newVolume(fs vfs.FS, dir string, sizes Sizes) (*Volume, error) {
	if err := fs.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("make %s: %w", dir, classify(err))
	}
	v := &Volume{fs: fs, dir: dir, sizes: sizes, shared: &caches{
		blocks: pebble.NewCache(sizes.BlockCacheBytes + sizes.LentBytes),
		files:  pebble.NewFileCache(runtime.GOMAXPROCS(0), openFilesMax),
		sizes:  sizes,
	}}
	if err := v.syncDir(fs.PathDir(dir)); err != nil {
		return nil, errors.Join(err, v.Close())
	}
	return v, nil
}

// Crash returns what would be left of a volume in memory if the machine lost power now: everything synced, and each
// unsynced block with a probability of percent in a hundred. The old volume goes on as if nothing had happened, and
// nothing it does reaches the new one.
func (v *Volume) Crash(percent int, seed uint64) (*Volume, error) {
	mem, ok := v.fs.(*vfs.MemFS)
	if !ok {
		return nil, fmt.Errorf("%s cannot crash: only volumes in memory can", v.dir)
	}
	clone := mem.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: percent, RNG: rand.New(rand.NewPCG(seed, seed))})
	return newVolume(clone, v.dir, v.sizes)
}

// Dir is the directory, for error texts.
func (v *Volume) Dir() string { return v.dir }

// Close gives the caches back. Databases that are still open keep their share until they are closed.
func (v *Volume) Close() error {
	v.shared.files.Unref()
	v.shared.blocks.Unref()
	return nil
}

// Reserve takes memory from the block cache, until release is called, once.
func (v *Volume) Reserve(bytes int) (release func()) { return v.shared.blocks.Reserve(bytes) }

// Lock takes the lock file of the volume against other processes, or fails with ErrLocked.
func (v *Volume) Lock(name string) (io.Closer, error) {
	path := v.path(name)
	l, err := v.fs.Lock(path)
	if err != nil {
		return nil, classifyLock(path, err)
	}
	return l, nil
}

// LockFile takes a lock file of a volume on disk that is not open, or fails with ErrLocked.
func LockFile(path string) (io.Closer, error) {
	l, err := vfs.Default.Lock(path)
	if err != nil {
		return nil, classifyLock(path, err)
	}
	return l, nil
}

// Open opens the database in the sub-directory name, and makes it if there is none.
func (v *Volume) Open(name string) (Engine, error) {
	path := v.path(name)
	if _, left := v.shared.left.Load(path); left {
		return nil, fmt.Errorf("open %s: a write from before the disk failed still waits there; free space on the disk, "+
			"or end the process", path)
	}
	if err := v.fs.MkdirAll(path, 0o755); err != nil {
		return nil, fmt.Errorf("make %s: %w", path, classify(err))
	}
	if err := v.syncUp(path); err != nil {
		return nil, err
	}
	return openPebble(v.fs, path, v.shared)
}

// Read returns the content of a file; an error wrapping fs.ErrNotExist if there is none.
func (v *Volume) Read(name string) ([]byte, error) {
	f, err := v.fs.Open(v.path(name))
	if err != nil {
		return nil, fmt.Errorf("read: %w", classify(err))
	}
	b, err := io.ReadAll(f)
	if err := errors.Join(err, f.Close()); err != nil {
		return nil, fmt.Errorf("read %s: %w", v.path(name), classify(err))
	}
	return b, nil
}

// Write replaces the content of a file, durably and atomically: after a crash it has the old or the new content.
func (v *Volume) Write(name string, content []byte) error {
	path := v.path(name)
	if err := v.fs.MkdirAll(v.fs.PathDir(path), 0o755); err != nil {
		return fmt.Errorf("write %s: %w", path, classify(err))
	}
	next := path + "~" // which no legal name ends with: it must not be another file of the volume
	if err := v.writeSynced(next, content); err != nil {
		return fmt.Errorf("write %s: %w", path, classify(err))
	}
	if err := v.fs.Rename(next, path); err != nil {
		return fmt.Errorf("write %s: %w", path, classify(err))
	}
	return v.syncUp(path)
}

func (v *Volume) writeSynced(path string, content []byte) error {
	f, err := v.fs.Create(path, vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	if _, err = f.Write(content); err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// Move renames a directory, durably.
func (v *Volume) Move(from, to string) error {
	if err := v.fs.MkdirAll(v.fs.PathDir(v.path(to)), 0o755); err != nil {
		return fmt.Errorf("move %s: %w", v.path(from), classify(err))
	}
	if err := v.fs.Rename(v.path(from), v.path(to)); err != nil {
		return fmt.Errorf("move %s to %s: %w", v.path(from), v.path(to), classify(err))
	}
	return errors.Join(v.syncUp(v.path(to)), v.syncUp(v.path(from)))
}

// Remove removes a file or a directory with all it holds; it need not exist.
func (v *Volume) Remove(name string) error {
	if err := v.fs.RemoveAll(v.path(name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove %s: %w", v.path(name), classify(err))
	}
	return v.syncUp(v.path(name))
}

// List returns the names in a directory, sorted; none if it does not exist.
func (v *Volume) List(name string) ([]string, error) {
	names, err := v.fs.List(v.path(name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list %s: %w", v.path(name), classify(err))
	}
	slices.Sort(names)
	return names, nil
}

func (v *Volume) path(name string) string { return v.fs.PathJoin(v.dir, filepath.Clean(name)) }

// syncUp makes the entry of path durable, and the entries of the directories above it up to the volume's own.
func (v *Volume) syncUp(path string) error {
	for path != v.dir {
		path = v.fs.PathDir(path)
		if err := v.syncDir(path); err != nil {
			return err
		}
	}
	return nil
}

func (v *Volume) syncDir(path string) error {
	d, err := v.fs.OpenDir(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // removed with what it held
	}
	if err != nil {
		return fmt.Errorf("sync %s: %w", path, classify(err))
	}
	if err := errors.Join(d.Sync(), d.Close()); err != nil {
		return fmt.Errorf("sync %s: %w", path, classify(err))
	}
	return nil
}
