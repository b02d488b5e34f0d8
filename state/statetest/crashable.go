package statetest

import (
	"errors"
	"fmt"
	"sync"

	"github.com/millrace/millrace/state"
	"github.com/millrace/millrace/state/internal/engine"
)

// Sizes of a Crashable: small, so that short tests see flushes and misses, and many fit into one process.
const (
	crashableCacheBytes    = 1 << 20
	crashableMemtableBytes = 256 << 10
	crashableOverlayBytes  = 4 << 10
)

// Crashable is a state.Storage on Pebble over a file system in memory that can lose power. It works inside a
// testing/synctest bubble, when it is made there.
type Crashable struct {
	mu     sync.Mutex // guards the fields below; held only to read or replace them
	volume *engine.Volume
	disk   *state.Disk
	dead   []*state.Disk // from before a crash: their processes may still be opening stores
}

var _ state.Storage = (*Crashable)(nil)

// NewCrashable returns an empty storage in which any application may open its tasks.
func NewCrashable() *Crashable {
	volume, err := engine.CrashableVolume(crashableSizes())
	if err == nil {
		var disk *state.Disk
		if disk, err = state.OpenVolume(volume, "", crashableOptions()); err == nil {
			return &Crashable{volume: volume, disk: disk}
		}
	}
	panic(fmt.Sprintf("statetest: an empty file system in memory failed: %v", err))
}

func crashableOptions() state.DiskOptions {
	return state.DiskOptions{
		BlockCacheBytes: crashableCacheBytes,
		MemtableBytes:   crashableMemtableBytes,
		OverlayBytes:    crashableOverlayBytes,
	}
}

func crashableSizes() engine.Sizes {
	return engine.Sizes{
		BlockCacheBytes: crashableCacheBytes,
		LentBytes:       crashableOverlayBytes,
		MemtableBytes:   crashableMemtableBytes,
	}
}

// Crash replaces all that is stored by what a loss of power would leave now: everything synced, and each unsynced
// block with a probability of percent in a hundred, chosen by seed. Stores that are open go on on the old file system,
// and nothing they do is seen again; whoever owns them must still close them.
func (c *Crashable) Crash(percent int, seed uint64) error {
	old := c.current()
	volume, err := c.volume.Crash(percent, seed)
	if err != nil {
		return err
	}
	disk, err := state.OpenVolume(volume, "", crashableOptions())
	if err != nil {
		return err
	}
	c.mu.Lock()
	c.volume, c.disk = volume, disk
	c.dead = append(c.dead, old)
	c.mu.Unlock()
	return nil
}

func (c *Crashable) current() *state.Disk {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.disk
}

// ProcessID implements state.Storage. It survives a crash.
func (c *Crashable) ProcessID() string { return c.current().ProcessID() }

// Note implements state.Storage.
func (c *Crashable) Note(name string) (string, error) { return c.current().Note(name) }

// SetNote implements state.Storage.
func (c *Crashable) SetNote(name, value string) error { return c.current().SetNote(name, value) }

// Open implements state.Storage.
func (c *Crashable) Open(task string, id state.Identity, specs []state.Spec) (*state.Stores, error) {
	return c.current().Open(task, id, specs)
}

// Remove implements state.Storage.
func (c *Crashable) Remove(task string) error { return c.current().Remove(task) }

// Quarantine implements state.Storage.
func (c *Crashable) Quarantine(task string) error { return c.current().Quarantine(task) }

// Close implements state.Storage.
func (c *Crashable) Close() error {
	c.mu.Lock()
	all := append(c.dead, c.disk)
	c.dead = nil
	c.mu.Unlock()
	var errs []error
	for _, d := range all {
		errs = append(errs, d.Close())
	}
	return errors.Join(errs...)
}
