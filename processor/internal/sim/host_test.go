//go:build synctests

package sim

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/millrace/millrace/processor/internal/task"
	"github.com/millrace/millrace/processor/internal/worker"
	"github.com/millrace/millrace/state"
	"github.com/millrace/millrace/state/statetest"
)

// A host is a machine: a disk, and one process after the other on it.
type host struct {
	s           *sim
	id          int
	dice        *dice
	disk        *statetest.Crashable
	incarnation atomic.Int64
	finished    atomic.Bool // a bounded run is over here
	process     atomic.Pointer[process]

	mu    sync.Mutex
	tasks map[task.ID]bool // all it has ever had
}

func newHost(s *sim, id int) *host {
	return &host{s: s, id: id, dice: newDice(s.opt.Seed, fmt.Sprint("host", id)), disk: statetest.NewCrashable(), tasks: map[task.ID]bool{}}
}

// run starts processes until the run ends or, bounded, one comes to its end.
func (h *host) run() {
	h.sleep(h.dice.upTo(2 * time.Second))
	for h.s.running() && !h.finished.Load() {
		h.checkDisk()
		p := h.start()
		h.oversee(p)
		h.sleep(h.dice.upTo(3 * time.Second))
	}
	if h.finished.Load() {
		h.again()
	}
}

func (h *host) remember(id task.ID) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.tasks[id] = true
}

func (h *host) has(id task.ID) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.tasks[id]
}

// sleep waits, but not beyond the end of the run.
func (h *host) sleep(d time.Duration) {
	select {
	case <-time.After(d):
	case <-h.s.stop.Done():
	}
}

// again starts a bounded run that is over once more: there must be nothing to
// do.
func (h *host) again() {
	if h.s.failed() {
		return
	}
	p := h.start()
	select {
	case <-p.ended:
	case <-time.After(stopLimit):
		p.crash()
		<-p.ended
		h.s.bad("host %d: a finished bounded run, started again, does not end", h.id)
	}
}

// oversee lets a process run until it ends, by itself or because it is told to,
// frozen for a while or killed.
func (h *host) oversee(p *process) {
	for {
		select {
		case <-p.ended:
			h.finished.Store(p.bounded && p.succeeded())
			return
		case <-h.s.stop.Done():
			h.halt(p)
			return
		case <-time.After(h.next()):
		}
		if h.s.stormy() && h.s.script == nil {
			h.disturb(p)
		}
	}
}

// next is the time to the next disturbance.
func (h *host) next() time.Duration {
	mean := 10 * time.Second
	for _, d := range []time.Duration{h.s.opt.Restart, h.s.opt.Freeze} {
		if d > 0 {
			mean = min(mean, d)
		}
	}
	return time.Second + h.dice.upTo(2*mean)
}

// disturb does to a process what comes from outside of it.
func (h *host) disturb(p *process) {
	o := &h.s.opt
	restart, freeze := 0.0, 0.0
	if o.Restart > 0 {
		restart = min(1, float64(10*time.Second)/float64(o.Restart))
	}
	if o.Freeze > 0 {
		freeze = min(1, float64(10*time.Second)/float64(o.Freeze))
	}
	switch {
	case h.dice.hit(restart / 2):
		h.s.stats.restarts.Add(1)
		h.halt(p)
	case h.dice.hit(freeze / 2):
		h.s.stats.freezes.Add(1)
		d := time.Second + h.dice.upTo(39*time.Second)
		h.s.trace.add("%s network held up for %v", p, d)
		p.link.pause(d)
	case o.Crash > 0 && h.dice.hit(0.05): // between any two instructions
		p.crash()
	}
}

// halt tells a process to stop and waits for it.
func (h *host) halt(p *process) {
	h.s.trace.add("%s told to stop", p)
	p.told.Store(true)
	p.cancel()
	select {
	case <-p.ended:
	case <-time.After(stopLimit):
		h.s.bad("%s did not stop within %v", p, stopLimit)
		p.crash()
		<-p.ended
	}
}

// A process is one incarnation of a host: its workers, their network and their
// view of the disk. When it crashes its network is cut, its disk is replaced,
// and whatever its goroutines still do is seen by nobody.
type process struct {
	host    *host
	number  int64
	bounded bool
	link    *link
	cancel  context.CancelFunc
	dead    atomic.Bool
	told    atomic.Bool   // to stop
	member  atomic.Value  // string: its name in the group, as its disk has it
	ended   chan struct{} // every worker has returned

	mu   sync.Mutex
	errs []error // of workers that returned one
	gone int     // workers that crashed
}

func (p *process) String() string { return fmt.Sprintf("host %d.%d", p.host.id, p.number) }

// start starts the workers of a new process.
func (h *host) start() *process {
	o := &h.s.opt
	ctx, cancel := context.WithCancel(context.Background())
	p := &process{host: h, number: h.incarnation.Add(1), bounded: h.s.bounded.Load(), cancel: cancel, ended: make(chan struct{})}
	p.link = &link{
		net: &h.s.net, dice: h.dice, lossy: h.s.stormy, lostRequest: o.LostRequest, lostResponse: o.LostResponse, slow: o.Slow, unanswered: o.Unanswered,
		lost: func() { h.s.stats.losses.Add(1) }, conns: map[*conn]struct{}{},
	}
	h.process.Store(p)
	h.s.trace.add("%s starts", p)
	var workers sync.WaitGroup
	for i := range o.Workers {
		workers.Go(func() { p.work(ctx, i) })
	}
	go func() {
		workers.Wait()
		cancel()
		close(p.ended)
	}()
	return p
}

// work runs one worker. A crash ends the goroutine in the middle.
func (p *process) work(ctx context.Context, index int) {
	crashed := true
	defer func() {
		if violated := recover(); violated != nil {
			p.host.s.bad("%s: %v", p, violated)
		}
		if crashed {
			p.mu.Lock()
			p.gone++
			p.mu.Unlock()
		}
	}()
	w, err := worker.New(p.withDisk(ctx, p.config(index)))
	if err == nil {
		err = w.Run(ctx)
	}
	crashed = p.dead.Load()
	if !crashed {
		p.returned(ctx, err)
	}
}

// returned takes what Run said. No fault that passes may end a worker: an error
// of Run is one that needs a human.
func (p *process) returned(ctx context.Context, err error) {
	p.host.s.trace.add("%s returned: %v", p, err)
	if err == nil || ctx.Err() != nil && errors.Is(err, context.Canceled) {
		return
	}
	p.host.s.bad("%s gave up: %v", p, err)
	p.host.s.stats.exits.Add(1)
	p.host.s.stats.note("exit", err)
	p.mu.Lock()
	p.errs = append(p.errs, err)
	p.mu.Unlock()
}

// succeeded says that all workers came to an end by themselves, not by an order.
func (p *process) succeeded() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return !p.dead.Load() && !p.told.Load() && len(p.errs) == 0 && p.gone == 0
}

// crash ends the process between two instructions, with a loss of power.
func (p *process) crash() {
	if p.dead.Swap(true) {
		return
	}
	h := p.host
	h.s.stats.crashes.Add(1)
	h.s.trace.add("%s crashes", p)
	p.link.kill()
	if err := h.disk.Crash(h.dice.below(h.s.opt.Unsynced+1), uint64(h.dice.below(1<<30))); err != nil {
		h.s.bad("%s: crash its disk: %v", p, err)
	}
	p.cancel()
}

var errDead = errors.New("sim: the process is dead")

// A deadDisk is the disk as one process sees it: once the process is dead, its
// goroutines cannot reach what the next process works on.
type deadDisk struct {
	*statetest.Crashable
	process *process
}

func (d deadDisk) Open(task string, id state.Identity, specs []state.Spec) (*state.Stores, error) {
	if d.process.dead.Load() {
		return nil, errDead
	}
	return d.Crashable.Open(task, id, specs)
}

func (d deadDisk) SetNote(name, value string) error {
	if d.process.dead.Load() {
		return errDead
	}
	d.process.member.Store(value) // the worker keeps its name in the group there
	return d.Crashable.SetNote(name, value)
}

func (d deadDisk) Remove(task string) error {
	if d.process.dead.Load() {
		return errDead
	}
	return d.Crashable.Remove(task)
}

func (d deadDisk) Quarantine(task string) error {
	if d.process.dead.Load() {
		return errDead
	}
	return d.Crashable.Quarantine(task)
}
