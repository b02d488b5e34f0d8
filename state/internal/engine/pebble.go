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
// Pebble finds damage also in the background, where no caller hears of it; failed remembers the first such finding
// and every later call returns it.
type pebbleEngine struct {
	db     *pebble.DB
	dir    string
	failed atomic.Pointer[error]
}

// openPebble opens the database in dir, and makes it if there is none.
func openPebble(fs vfs.FS, dir string, shared *caches) (Engine, error) {
	e := &pebbleEngine{dir: dir}
	db, err := pebble.Open(dir, e.options(fs, shared))
	if err != nil {
		return nil, classifyOpen(dir, err)
	}
	e.db = db
	return e, nil
}

func (e *pebbleEngine) options(fs vfs.FS, shared *caches) *pebble.Options {
	o := &pebble.Options{
		FS:                          fs,
		Cache:                       shared.blocks,
		FileCache:                   shared.files,
		DisableWAL:                  true,
		FormatMajorVersion:          pebble.FormatNewest,
		MemTableSize:                uint64(shared.memtableBytes),
		MemTableStopWritesThreshold: memtableStop,
		L0CompactionThreshold:       l0Compaction,
		Logger:                      silent{e},
		EventListener: &pebble.EventListener{
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
	s.e.fail(fmt.Errorf("pebble cannot go on: "+format, args...))
}

func (e *pebbleEngine) fail(err error) { e.failed.CompareAndSwap(nil, &err) }

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
	value, closer, err := e.db.Get(key)
	if err == pebble.ErrNotFound {
		return dst, false, e.check("read", nil)
	}
	if err != nil {
		return dst, false, e.check("read", err)
	}
	dst = append(dst, value...)
	return dst, true, e.check("read", closer.Close())
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
func (e *pebbleEngine) NewBatch() Batch {
	return &pebbleBatch{b: e.db.NewBatch(pebble.WithMaxRetainedSizeBytes(batchRetained))}
}

// Apply implements Engine.
func (e *pebbleEngine) Apply(b Batch) error {
	if err := e.check("write", nil); err != nil {
		return err
	}
	return e.check("write", e.db.Apply(b.(*pebbleBatch).b, pebble.NoSync))
}

// Flush implements Engine.
func (e *pebbleEngine) Flush() error { return e.check("flush", e.db.Flush()) }

// FlushSoon implements Engine.
func (e *pebbleEngine) FlushSoon() error {
	_, err := e.db.AsyncFlush()
	return e.check("flush", err)
}

// Close implements Engine.
func (e *pebbleEngine) Close() error {
	if err := e.db.Close(); err != nil {
		return fmt.Errorf("close %s: %w", e.dir, classify(err))
	}
	return nil
}

// pebbleBatch is a plain, unindexed batch: reads go through the overlay, never through it.
type pebbleBatch struct{ b *pebble.Batch }

func (b *pebbleBatch) Set(key, value []byte) error       { return b.b.Set(key, value, nil) }
func (b *pebbleBatch) Delete(key []byte) error           { return b.b.Delete(key, nil) }
func (b *pebbleBatch) DeleteRange(from, to []byte) error { return b.b.DeleteRange(from, to, nil) }
func (b *pebbleBatch) Size() int                         { return b.b.Len() }
func (b *pebbleBatch) Reset()                            { b.b.Reset() }
