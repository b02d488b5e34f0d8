package state

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"
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
	defaultBlockCacheBytes = 64 << 20
	defaultMemtableBytes   = 16 << 20
	defaultOverlayBytes    = 64 << 20
)

// DiskOptions are the memory bounds of a Disk. The zero value is useful.
type DiskOptions struct {
	// BlockCacheBytes is the size of the block cache that all tasks of the process share. Default 64 MiB.
	BlockCacheBytes int64
	// MemtableBytes is the size of one memtable. A task has one, and up to four while the disk lags behind; an
	// idle task's is smaller. It is also what has to be replayed after a crash. Default 16 MiB.
	MemtableBytes int
	// OverlayBytes is how much clean state a task keeps decoded in memory between commits. What is dirty is not
	// counted: the worker bounds it by committing. Default 64 MiB.
	OverlayBytes int
}

func (o DiskOptions) withDefaults() DiskOptions {
	if o.BlockCacheBytes <= 0 {
		o.BlockCacheBytes = defaultBlockCacheBytes
	}
	if o.MemtableBytes <= 0 {
		o.MemtableBytes = defaultMemtableBytes
	}
	if o.OverlayBytes <= 0 {
		o.OverlayBytes = defaultOverlayBytes
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

	mu   sync.Mutex // guards open; never held while anything else is called
	open map[string]bool
}

var _ Storage = (*Disk)(nil)

// process is the content of process.json.
type process struct {
	Format        int    `json:"format"`
	ApplicationID string `json:"application_id"`
	ProcessID     string `json:"process_id"`
}

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
	return engine.Sizes{BlockCacheBytes: o.BlockCacheBytes, MemtableBytes: o.MemtableBytes}
}

// OpenVolume is OpenDisk on a volume of the engine, which package statetest makes in memory. With an empty
// application id any application may open its tasks there. The Disk owns v, also when OpenVolume fails.
func OpenVolume(v *engine.Volume, applicationID string, opt DiskOptions) (*Disk, error) {
	d := &Disk{volume: v, options: opt.withDefaults(), open: map[string]bool{}}
	var err error
	if d.lock, err = v.Lock(lockFile); err != nil {
		return nil, errors.Join(advise(v.Dir(), err), v.Close())
	}
	if err := d.identify(applicationID); err != nil {
		return nil, errors.Join(advise(v.Dir(), err), d.Close())
	}
	return d, nil
}

// advise adds to an error of a state directory what to do about it.
func advise(dir string, err error) error {
	next := "check the disk and its permissions"
	switch {
	case errors.Is(err, ErrLocked):
		next = "another process has the directory open: stop it, or give this one a directory of its own"
	case errors.Is(err, ErrOtherApplication):
		next = "give each application a directory of its own"
	case errors.Is(err, ErrReadOnly):
		next = "the directory must be writable: check its owner, its mode and how the disk is mounted"
	case errors.Is(err, ErrNewerFormat):
		next = "run the newer version again, or delete the directory to rebuild from the changelogs"
	case errors.Is(err, ErrCorrupt):
		next = "delete the directory to rebuild from the changelogs"
	}
	return fmt.Errorf("state: directory %s: %w; %s", dir, err, next)
}

// identify checks the directory's process.json, or writes it.
func (d *Disk) identify(applicationID string) error {
	b, err := d.volume.Read(processFile)
	if errors.Is(err, fs.ErrNotExist) {
		d.process = process{Format: diskFormat, ApplicationID: applicationID, ProcessID: newProcessID()}
		b, err := json.Marshal(d.process)
		if err != nil {
			return fmt.Errorf("%s: %w", processFile, err)
		}
		return d.volume.Write(processFile, append(b, '\n'))
	}
	if err != nil {
		return err
	}
	d.process, err = decodeProcess(b)
	if err != nil {
		return err
	}
	if d.process.ApplicationID != applicationID {
		return fmt.Errorf("%w: it belongs to %q, this is %q", ErrOtherApplication, d.process.ApplicationID, applicationID)
	}
	return nil
}

func decodeProcess(b []byte) (process, error) {
	var p process
	if err := json.Unmarshal(b, &p); err != nil {
		return p, fmt.Errorf("%s: %w: %w", processFile, ErrCorrupt, err)
	}
	if p.Format > diskFormat {
		return p, fmt.Errorf("%s: %w: format %d, this version knows %d", processFile, ErrNewerFormat, p.Format, diskFormat)
	}
	if p.Format != diskFormat || p.ProcessID == "" {
		return p, fmt.Errorf("%s: %w: it lacks its format or its process id", processFile, ErrCorrupt)
	}
	return p, nil
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
	s, err := openStores(e, id, specs, d.options.OverlayBytes, hooks)
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

// Quarantine implements Storage.
func (d *Disk) Quarantine(task string) error {
	if err := d.take(task, "quarantine"); err != nil {
		return err
	}
	defer d.release(task)
	aside, err := d.quarantined(task)
	if err == nil && len(aside) >= quarantinedMax {
		err = d.volume.Remove(aside[0].name)
	}
	if err == nil {
		n := 1
		if len(aside) > 0 {
			n = aside[len(aside)-1].number + 1
		}
		err = d.volume.Move(filepath.Join(tasksDir, task), filepath.Join(quarantineDir, fmt.Sprintf("%s.%d", task, n)))
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return advise(d.volume.Dir(), err)
	}
	return nil
}

// asideCopy is one quarantined copy of a task.
type asideCopy struct {
	name   string // in the volume
	number int
}

// quarantined lists the copies of a task, oldest first.
func (d *Disk) quarantined(task string) ([]asideCopy, error) {
	names, err := d.volume.List(quarantineDir)
	if err != nil {
		return nil, err
	}
	var found []asideCopy
	for _, name := range names {
		number, ok := strings.CutPrefix(name, task+".")
		n, err := strconv.Atoi(number)
		if !ok || err != nil {
			continue
		}
		at := len(found)
		for at > 0 && found[at-1].number > n {
			at--
		}
		found = append(found, asideCopy{})
		copy(found[at+1:], found[at:])
		found[at] = asideCopy{name: filepath.Join(quarantineDir, name), number: n}
	}
	return found, nil
}

// acquit deletes the quarantined copies of a task once its rebuilt state is safe on disk.
func (d *Disk) acquit(task string, e engine.Engine) error {
	aside, err := d.quarantined(task)
	if err != nil || len(aside) == 0 {
		return err
	}
	if err := e.Flush(); err != nil {
		return err
	}
	for _, c := range aside {
		if err := d.volume.Remove(c.name); err != nil {
			return err
		}
	}
	return nil
}

// Close implements Storage: it releases the lock and the caches.
func (d *Disk) Close() error {
	return errors.Join(d.lock.Close(), d.volume.Close())
}
