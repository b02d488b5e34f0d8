//go:build synctests

package sim

import (
	"context"
	"sync"

	"github.com/millrace/millrace/processor/internal/graph"
	"github.com/millrace/millrace/processor/internal/task"
	"github.com/millrace/millrace/processor/internal/worker"
	"github.com/millrace/millrace/state"
)

// A failingDisk is the disk as one worker sees it. Now and then it cannot write
// what Kafka has just committed; the worker then has to read the state back, with
// records of the task fetched and commits on their way.
type failingDisk struct {
	deadDisk
	mu      sync.Mutex
	opened  map[string]*state.Stores
	running map[string]bool // the worker's; others are the restorer's
}

// Open is called by the restorer.
func (d *failingDisk) Open(name string, id state.Identity, specs []state.Spec) (*state.Stores, error) {
	stores, err := d.deadDisk.Open(name, id, specs)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.opened[name], d.running[name] = stores, false
	return stores, err
}

func (d *failingDisk) restored(id task.ID) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.running[id.String()] = true
}

func (d *failingDisk) revoked(id task.ID) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.running[id.String()] = false
}

// fail makes the next write of a task fail. Only the worker's goroutine may call
// it.
func (d *failingDisk) fail(id task.ID) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	stores := d.opened[id.String()]
	if stores == nil || !d.running[id.String()] {
		return false
	}
	_ = stores.Close(false)
	return true
}

// withDisk gives the worker a disk of its own that fails right before a commit is
// applied. It does not while the worker stops: there is no reading back then, and
// the worker says so with an error.
func (p *process) withDisk(ctx context.Context, c worker.Config) worker.Config {
	s := p.host.s
	d := &failingDisk{deadDisk: deadDisk{p.host.disk, p}, opened: map[string]*state.Stores{}, running: map[string]bool{}}
	restored, revoked, counted := c.Events.TaskRestored, c.Events.TaskRevoked, c.Events.Counted
	c.Storage = d
	c.Events.TaskRestored = func(id task.ID, r worker.Restoration) {
		restored(id, r)
		d.restored(id)
	}
	c.Events.TaskRevoked = func(id task.ID) {
		revoked(id)
		d.revoked(id)
	}
	c.Events.Counted = func(id task.ID, all []graph.Counters) {
		counted(id, all)
		if s.opt.BadDisk > 0 && ctx.Err() == nil && s.stormy() && p.host.dice.hit(s.opt.BadDisk) && d.fail(id) {
			s.stats.broken.Add(1)
			s.trace.add("%s: the disk of task %s fails", p, id)
		}
	}
	return c
}
