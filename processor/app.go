package processor

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/millrace/millrace/processor/internal/graph"
	"github.com/millrace/millrace/processor/internal/steps"
	"github.com/millrace/millrace/processor/internal/worker"
	"github.com/millrace/millrace/state"
)

// Topology is what an App runs; package stream builds it.
type Topology = graph.Topology

// An App runs a topology in this process. It is made by New and used for one
// Run.
type App struct {
	cfg      Config
	topology *Topology
	metrics  *metrics
	gatherer prometheus.Gatherer
	health   *health
	times    *times
	drops    drops
	ran      atomic.Bool
}

// New checks that there is a topology and the configuration, all complaints at
// once, and registers the metrics; Run takes them back when it ends, and nothing
// else does. Nothing is dialed yet.
func New(t *Topology, cfg Config) (*App, error) {
	err := cfg.Validate()
	if t == nil {
		err = errors.Join(errors.New("processor: the topology is nil: build it with stream.New and Build"), err)
	}
	if err == nil {
		err = cfg.checkRemade(t)
	}
	if err != nil {
		return nil, err
	}
	a := &App{cfg: cfg.withDefaults(), topology: t, times: newTimes(), drops: drops{nodes: map[graph.NodeID]*graph.Counters{}}}
	a.health = newHealth(a.cfg.Workers)
	reg := a.cfg.Registerer
	if reg == nil {
		reg = prometheus.NewRegistry()
	}
	a.gatherer = gathererOf(reg)
	if a.metrics, err = newMetrics(reg, cfg.ApplicationID, t, a.times); err != nil {
		return nil, fmt.Errorf("processor: register metrics: %w", err)
	}
	return a, nil
}

// Run processes until ctx ends, and returns nil then: it commits what was
// processed, closes the state and leaves the group; Config.Drain bounds the commit. A
// bounded run returns nil when every task of the group has finished. Any other
// return is an error: one that repeating cannot help, such as a missing topic,
// a record the error policy does not cover, or a state directory that stays in
// use. An App has one Run: a second call is an error and changes nothing.
func (a *App) Run(ctx context.Context) error {
	if !a.ran.CompareAndSwap(false, true) {
		return errors.New("processor: Run was called before, and an App is used for one Run: make another one with New")
	}
	defer a.metrics.unregister()
	disk, err := a.openState(ctx)
	if err != nil {
		if errors.Is(err, state.ErrLocked) && ctx.Err() != nil {
			return nil // stopped before anything was begun
		}
		return err
	}
	httpCtx, stopHTTP := context.WithCancel(context.WithoutCancel(ctx))
	wait, err := a.serveAll(httpCtx)
	if err == nil {
		err = a.withReset(a.runWorkers(ctx, disk))
		a.times.clear()
		if a.cfg.BoundedRun != "" {
			a.drops.tell(a.topology, a.warn)
		}
	}
	stopHTTP()
	wait()
	if cerr := disk.Close(); cerr != nil {
		err = errors.Join(err, fmt.Errorf("processor: close state: %w", cerr))
	}
	return err
}

// runWorkers runs all workers until they are done; the first that fails stops
// the others.
func (a *App) runWorkers(ctx context.Context, disk *state.Disk) error {
	workers := make([]*worker.Worker, a.cfg.Workers)
	for i := range workers {
		w, err := worker.New(a.workerConfig(ctx, i, disk))
		if err != nil {
			return fmt.Errorf("processor: %w", err)
		}
		workers[i] = w
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	errs := make([]error, len(workers))
	var group sync.WaitGroup
	for i, w := range workers {
		group.Go(func() {
			errs[i] = errGoexit // unless Run returns
			defer func() {
				if errs[i] != nil {
					a.health.stopped(errs[i])
					cancel()
				}
			}()
			errs[i] = w.Run(ctx)
		})
	}
	group.Wait()
	return errors.Join(errs...)
}

// errGoexit is what became of a worker that did not return.
var errGoexit = errors.New("processor: a worker's goroutine was ended by runtime.Goexit, in a function of the topology or a listener of events (FailNow and Fatal of package testing call it): return an error instead, nothing is lost")

func (a *App) workerConfig(ctx context.Context, index int, disk *state.Disk) worker.Config {
	c := worker.Config{
		ApplicationID: a.cfg.ApplicationID, Version: a.cfg.Version, Index: index,
		Graph: a.topology, Storage: disk,
		Client:         append(slices.Clone(a.cfg.Client), kgo.SeedBrokers(a.cfg.Brokers...)),
		Guarantee:      a.cfg.Guarantee,
		CommitInterval: a.cfg.CommitInterval, CommitRecords: a.cfg.CommitRecords,
		SessionTimeout: a.cfg.SessionTimeout, HeartbeatInterval: a.cfg.HeartbeatInterval,
		TransactionTimeout: a.cfg.TransactionTimeout, MaxTaskIdle: a.cfg.MaxTaskIdle,
		Drain: a.cfg.Drain, AcceptRemade: a.cfg.AcceptRemade,
		Events: a.listeners(index),
	}
	if a.cfg.BoundedRun != "" {
		c.Bounded = &worker.BoundedRun{Run: a.cfg.BoundedRun}
	}
	if step := steps.Of(ctx); step != nil {
		c.Faults.At = func(s worker.Step) { step(s.String()) }
	}
	return c
}
