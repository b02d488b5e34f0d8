package engine

import (
	"fmt"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/cockroachdb/pebble/v2/sstable"
	"github.com/cockroachdb/pebble/v2/vfs"
)

const (
	// batchRetained is the buffer a spent batch keeps for its next use: enough for a usual commit, so that steady
	// state allocates nothing, and little enough to be kept per task.
	batchRetained = 16 << 20
	// uncompressedLevels are left uncompressed: what is written there is soon written again.
	uncompressedLevels = 3
	// bloomBits per key give about 1 % false positives.
	bloomBits = 10
	// indexBlock is larger than the index of any table file, so that none is split into two levels: a read would have
	// to find its way through both.
	indexBlock = 1 << 20
	// memtableStop is the number of memtables, the one being written included, at which writers wait for a flush.
	memtableStop = 4
	// l0Compaction is the number of flushed memtables on top of each other at which they are merged into what lies
	// below. What is read often is in the overlay, so it pays to merge more of them at once and less often.
	l0Compaction = 8
)

// pebbleEngine is one Pebble database without write-ahead log: the changelog in Kafka is the log. Memtables are
// flushed in order and published by edits of the manifest, which is what makes a crash leave a prefix of the batches.
//
// Pebble finds damage also in the background, and flushes and compacts there, where no caller hears of what goes wrong;
// failed remembers the first such failure, and every later call returns it.
type pebbleEngine struct {
	db     *pebble.DB
	dir    string
	shared *caches
	finder finder
	failed atomic.Pointer[error]
	down   chan struct{} // closed when failed is set
	left   chan struct{} // closed when the call that wait left behind has returned; nil if there is none
}

// openPebble opens the database in dir, and makes it if there is none.
func openPebble(fs vfs.FS, dir string, shared *caches) (Engine, error) {
	e := &pebbleEngine{dir: dir, shared: shared, down: make(chan struct{})}
	n := shared.open.Add(1)
	db, err := pebble.Open(dir, e.options(fs, shared.sizes.memtableBytes(n)))
	if err != nil {
		shared.open.Add(-1)
		return nil, classifyOpen(dir, err)
	}
	e.db = db
	return e, nil
}

func (e *pebbleEngine) options(fs vfs.FS, memtableBytes int) *pebble.Options {
	o := &pebble.Options{
		FS:                          unmeasured{fs},
		Cache:                       e.shared.blocks,
		FileCache:                   e.shared.files,
		DisableWAL:                  true,
		FormatMajorVersion:          pebble.FormatNewest,
		MemTableSize:                uint64(memtableBytes),
		MemTableStopWritesThreshold: memtableStop,
		L0CompactionThreshold:       l0Compaction,
		Logger:                      silent{e},
		EventListener: &pebble.EventListener{
			BackgroundError: func(err error) {
				e.fail(fmt.Errorf("work in the background failed: %w", classify(err)))
			},
			DataCorruption: func(info pebble.DataCorruptionInfo) {
				e.fail(fmt.Errorf("%w: %s: %w", ErrCorrupt, info.Path, info.Details))
			},
		},
	}
	for i := range o.Levels {
		o.Levels[i].FilterPolicy = bloom.FilterPolicy(bloomBits)
		profile := sstable.SnappyCompression
		if i < uncompressedLevels {
			profile = sstable.NoCompression
		}
		o.Levels[i].IndexBlockSize = indexBlock
		o.Levels[i].Compression = func() *sstable.CompressionProfile { return profile }
	}
	return o
}

// silent keeps Pebble from writing to the process's output and from ending the process: what Pebble calls fatal ends
// this one engine.
type silent struct{ e *pebbleEngine }

func (silent) Infof(string, ...any)  {}
func (silent) Errorf(string, ...any) {}
func (s silent) Fatalf(format string, args ...any) {
	err := fmt.Errorf("pebble cannot go on: "+format, args...)
	if len(args) == 1 {
		if cause, ok := args[0].(error); ok { // which Errorf does not wrap: the verb is Pebble's
			err = fmt.Errorf("pebble cannot go on: %w", classify(cause))
		}
	}
	s.e.fail(err)
}

// unmeasured is a file system that need not know how full it is. Pebble asks only to pace the deletion of files, but
// reports an error there as it does a flush that failed.
type unmeasured struct{ vfs.FS }

func (u unmeasured) GetDiskUsage(path string) (vfs.DiskUsage, error) {
	usage, err := u.FS.GetDiskUsage(path)
	if err != nil {
		return usage, vfs.ErrUnsupported
	}
	return usage, nil
}

func (e *pebbleEngine) fail(err error) {
	if e.failed.CompareAndSwap(nil, &err) {
		close(e.down)
	}
}

// check turns the outcome of a call into the engine's: an earlier failure in the background comes first.
func (e *pebbleEngine) check(doing string, err error) error {
	if first := e.failed.Load(); first != nil {
		return fmt.Errorf("%s %s: %w", doing, e.dir, *first)
	}
	if err != nil {
		return fmt.Errorf("%s %s: %w", doing, e.dir, classify(err))
	}
	return nil
}

// Get implements Engine.
func (e *pebbleEngine) Get(dst, key []byte) ([]byte, bool, error) {
	value, ok, err := e.finder.find(e.db, dst, key)
	return value, ok, e.check("read", err)
}

// Scan implements Engine.
func (e *pebbleEngine) Scan(from, to []byte, fn func(key, value []byte) error) error {
	it, err := e.db.NewIter(&pebble.IterOptions{LowerBound: from, UpperBound: to})
	if err != nil {
		return e.check("scan", err)
	}
	for ok := it.First(); ok; ok = it.Next() {
		value, err := it.ValueAndErr()
		if err != nil {
			break // Error reports it again
		}
		if err := fn(it.Key(), value); err != nil {
			closed := it.Close()
			if err == ErrStop {
				return e.check("scan", closed)
			}
			return err
		}
	}
	err = it.Error()
	if closed := it.Close(); err == nil {
		err = closed
	}
	return e.check("scan", err)
}

// NewBatch implements Engine.
func (e *pebbleEngine) NewBatch() Batch { return &pebbleBatch{b: e.newBatch()} }

func (e *pebbleEngine) newBatch() *pebble.Batch {
	return e.db.NewBatch(pebble.WithMaxRetainedSizeBytes(batchRetained))
}

// Apply implements Engine.
func (e *pebbleEngine) Apply(b Batch) error {
	if err := e.check("write", nil); err != nil {
		return err
	}
	e.finder.forget()
	batch := b.(*pebbleBatch)
	writing := batch.b
	err := e.wait(func() error { return e.db.Apply(writing, pebble.NoSync) })
	if e.left != nil {
		batch.b = e.newBatch() // Reset must not touch the one that is still being written
	}
	return e.check("write", err)
}

// Flush implements Engine.
func (e *pebbleEngine) Flush() error {
	flushed, err := e.startFlush()
	if err != nil {
		return err
	}
	select {
	case <-flushed:
	case <-e.down:
	}
	return e.check("flush", nil)
}

// FlushSoon implements Engine.
func (e *pebbleEngine) FlushSoon() error {
	_, err := e.startFlush()
	return err
}

// startFlush returns what is closed when all that was applied so far has been flushed.
func (e *pebbleEngine) startFlush() (<-chan struct{}, error) {
	if err := e.check("flush", nil); err != nil {
		return nil, err
	}
	var flushed <-chan struct{}
	err := e.wait(func() (err error) {
		flushed, err = e.db.AsyncFlush()
		return err
	})
	if err != nil { // a call that was left behind may still write flushed
		return nil, e.check("flush", err)
	}
	return flushed, nil
}

// pebbleBatch is a plain, unindexed batch: reads go through the overlay, never through it.
type pebbleBatch struct{ b *pebble.Batch }

func (b *pebbleBatch) Set(key, value []byte) error       { return b.b.Set(key, value, nil) }
func (b *pebbleBatch) Delete(key []byte) error           { return b.b.Delete(key, nil) }
func (b *pebbleBatch) DeleteRange(from, to []byte) error { return b.b.DeleteRange(from, to, nil) }
func (b *pebbleBatch) Size() int                         { return b.b.Len() }
func (b *pebbleBatch) Reset()                            { b.b.Reset() }
