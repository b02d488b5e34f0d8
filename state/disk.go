package state

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"sync"

	"github.com/millrace/millrace/state/internal/engine"
)

// Names in a state directory.
const (
	lockFile      = "LOCK"
	processFile   = "process.json"
	notesDir      = "notes"
	tasksDir      = "tasks"
	quarantineDir = "quarantine"
)

const (
	// diskFormat is the version of the layout of a state directory.
	diskFormat = 1
	// noteMax is the longest note, in bytes.
	noteMax = 64 << 10
	// quarantinedMax is how many damaged copies of one task are kept.
	quarantinedMax = 4
)

// Defaults of DiskOptions.
const (
	defaultMemoryBytes = 1 << 30
	// A memtable is a part of the memory, within bounds.
	memtableParts = 64
	memtableLeast = 256 << 10
	memtableMost  = 64 << 20
)

// DiskOptions are the memory bounds of a Disk, for all its tasks together. The zero value is useful.
type DiskOptions struct {
	// MemoryBytes is how much of the state may be in memory, beside what is dirty: that the worker bounds by
	// committing. Default 1 GiB. The fields below say how it is used.
	MemoryBytes int64
	// OverlayBytes of it may be decoded values, each open task has an equal share. What a task does not need, or what
	// does not help it because most of what it looks for is not there, is lent to the block cache, but for a quarter.
	// Default one half.
	OverlayBytes int
	// BlockCacheBytes of it, and what is lent, are Pebble's memtables and what they leave, cached blocks. Default one
	// half.
	BlockCacheBytes int64
	// MemtableBytes is the size of one memtable. A task has one, and up to four while the disk lags behind; an
	// idle task's is smaller. It is also what has to be replayed after a crash. Default 1/64 of the memory, from
	// 256 KiB to 64 MiB; from the 17th open task on smaller, for one of each shall not take more than a quarter.
	MemtableBytes int
}

func (o DiskOptions) withDefaults() DiskOptions {
	if o.MemoryBytes <= 0 {
		o.MemoryBytes = defaultMemoryBytes
	}
	if o.OverlayBytes <= 0 {
		o.OverlayBytes = int(o.MemoryBytes / 2)
	}
	if o.BlockCacheBytes <= 0 {
		o.BlockCacheBytes = o.MemoryBytes / 2
	}
	if o.MemtableBytes <= 0 {
		o.MemtableBytes = int(min(max(o.MemoryBytes/memtableParts, memtableLeast), memtableMost))
	}
	return o
}

// Disk is a Storage in a directory:
//
//	LOCK            held while the Disk is open
//	process.json    format, application id, process id
//	notes/NAME      one file per note
//	tasks/TASK/     one Pebble database per task
//	quarantine/TASK.N/
type Disk struct {
	volume  *engine.Volume
	lock    io.Closer
	process process
	options DiskOptions
	budget  budget

	mu   sync.Mutex // guards open; never held while anything else is called
	open map[string]bool
}

var _ Storage = (*Disk)(nil)

// OpenDisk opens the state directory of an application on this machine, makes it if there is none, and locks it
// against other processes. Errors wrap ErrLocked, ErrOtherApplication, ErrReadOnly, ErrNewerFormat or ErrCorrupt.
func OpenDisk(dir string, applicationID string, opt DiskOptions) (*Disk, error) {
	if applicationID == "" {
		return nil, fmt.Errorf("state: directory %s: the application id is empty; set application.id", dir)
	}
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("state: directory %s: %w", dir, err)
	}
	opt = opt.withDefaults()
	v, err := engine.DiskVolume(abs, opt.sizes())
	if err != nil {
		return nil, advise(abs, err)
	}
	return OpenVolume(v, applicationID, opt)
}

func (o DiskOptions) sizes() engine.Sizes {
	return engine.Sizes{
		BlockCacheBytes: o.BlockCacheBytes,
		LentBytes:       int64(o.OverlayBytes - o.OverlayBytes/modestPart),
		MemtableBytes:   o.MemtableBytes,
	}
}

// OpenVolume is OpenDisk on a volume of the engine, which package statetest makes in memory. With an empty
// application id any application may open its tasks there. The Disk owns v, also when OpenVolume fails.
func OpenVolume(v *engine.Volume, applicationID string, opt DiskOptions) (*Disk, error) {
	d := &Disk{volume: v, options: opt.withDefaults(), open: map[string]bool{}}
	d.budget.total, d.budget.reserve = d.options.OverlayBytes, v.Reserve
	var err error
	if d.lock, err = v.Lock(lockFile); err != nil {
		return nil, errors.Join(advise(v.Dir(), err), v.Close())
	}
	if err := d.identify(applicationID); err != nil {
		return nil, errors.Join(advise(v.Dir(), err), d.Close())
	}
	return d, nil
}

// ProcessID implements Storage.
func (d *Disk) ProcessID() string { return d.process.ProcessID }

// Note implements Storage.
func (d *Disk) Note(name string) (string, error) {
	if err := LegalName(name); err != nil {
		return "", err
	}
	b, err := d.volume.Read(filepath.Join(notesDir, name))
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", advise(d.volume.Dir(), err)
	}
	return string(b), nil
}

// SetNote implements Storage.
func (d *Disk) SetNote(name, value string) error {
	if err := checkNote(name, value); err != nil {
		return err
	}
	if err := d.volume.Write(filepath.Join(notesDir, name), []byte(value)); err != nil {
		return advise(d.volume.Dir(), err)
	}
	return nil
}

func checkNote(name, value string) error {
	if err := LegalName(name); err != nil {
		return err
	}
	if len(value) > noteMax {
		return fmt.Errorf("state: note %q has %d bytes, %d are allowed", name, len(value), noteMax)
	}
	return nil
}

// Open implements Storage.
func (d *Disk) Open(task string, id Identity, specs []Spec) (*Stores, error) {
	if own := d.process.ApplicationID; own != "" && own != id.ApplicationID {
		return nil, fmt.Errorf("state: open task %s of application %q: %w: directory %s belongs to %q",
			task, id.ApplicationID, ErrOtherApplication, d.volume.Dir(), d.process.ApplicationID)
	}
	if err := d.take(task, "open"); err != nil {
		return nil, err
	}
	s, err := d.openTask(task, id, specs)
	if err != nil {
		d.release(task)
		return nil, fmt.Errorf("state: task %s: %w", task, err)
	}
	return s, nil
}

func (d *Disk) openTask(task string, id Identity, specs []Spec) (*Stores, error) {
	e, err := d.volume.Open(filepath.Join(tasksDir, task))
	if err != nil {
		return nil, err
	}
	hooks := storeHooks{
		rebuilt: func() error { return d.acquit(task, e) },
		closed:  func() { d.release(task) },
	}
	s, err := openStores(e, id, specs, &d.budget, hooks)
	if err != nil {
		return nil, errors.Join(err, e.Close())
	}
	return s, nil
}

func (d *Disk) take(task, doing string) error {
	if err := LegalName(task); err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.open[task] {
		return fmt.Errorf("state: %s task %s in %s: %w; close its stores first", doing, task, d.volume.Dir(), ErrLocked)
	}
	d.open[task] = true
	return nil
}

func (d *Disk) release(task string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.open, task)
}

// Remove implements Storage.
func (d *Disk) Remove(task string) error {
	if err := d.take(task, "remove"); err != nil {
		return err
	}
	defer d.release(task)
	if err := d.volume.Remove(filepath.Join(tasksDir, task)); err != nil {
		return advise(d.volume.Dir(), err)
	}
	return nil
}

// Close implements Storage: it releases the lock and the caches.
func (d *Disk) Close() error {
	return errors.Join(d.lock.Close(), d.volume.Close())
}
