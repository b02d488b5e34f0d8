//go:build synctests

package sim

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/millrace/millrace/processor/internal/commit"
	"github.com/millrace/millrace/processor/internal/graph"
	"github.com/millrace/millrace/processor/internal/task"
	"github.com/millrace/millrace/processor/internal/worker"
)

// config is the configuration of one worker of the process.
func (p *process) config(index int) worker.Config {
	o := &p.host.s.opt
	c := worker.Config{
		ApplicationID: application, Version: "1", Index: index, Graph: p.host.s.graph,
		Storage:        deadDisk{p.host.disk, p},
		Client:         []kgo.Opt{kgo.SeedBrokers("127.0.0.1:9092", "127.0.0.1:9093"), kgo.Dialer(p.link.dial)},
		CommitInterval: o.CommitInterval, CommitRecords: o.CommitRecords,
		TurnRecords: o.TurnRecords, QueueRecords: o.QueueRecords,
		SessionTimeout: o.Session, RebalanceTimeout: 15 * time.Second, HeartbeatInterval: time.Second,
		TransactionTimeout: o.Transaction,
		Events:             p.events(), Faults: p.host.s.mutant,
	}
	c.Faults.At = p.at
	if os.Getenv("TRACE") != "" {
		c.Client = append(c.Client, kgo.WithLogger(clientLog{p}))
	}
	if p.bounded {
		c.Bounded = &worker.BoundedRun{Run: "run"}
	}
	return c
}

// at is called at each step of a commit, on the worker's goroutine.
func (p *process) at(step worker.Step) {
	p.exitIfDead()
	h, o := p.host, &p.host.s.opt
	if h.s.script != nil {
		h.s.watch.reached(p, step)
		p.exitIfDead()
		return
	}
	if !h.s.stormy() {
		return
	}
	switch {
	case h.dice.hit(o.Crash):
		h.s.trace.add("%s crashes at %v", p, step)
		p.crash()
	case h.dice.hit(o.Stall):
		p.stall(step, time.Second+h.dice.upTo(39*time.Second))
	case step == commit.BeforePrepare && p.bounded: // all input is there at once; work takes time
		time.Sleep(h.dice.upTo(2 * time.Second))
	case step == commit.BeforePrepare && h.dice.hit(0.3):
		time.Sleep(h.dice.upTo(200 * time.Millisecond))
	}
	p.exitIfDead()
}

// exitIfDead ends the calling goroutine as a crash does: what it would have
// done next does not happen.
func (p *process) exitIfDead() {
	if p.dead.Load() {
		runtime.Goexit()
	}
}

// stall stops the whole process for a while, as a machine that is suspended.
func (p *process) stall(step worker.Step, d time.Duration) {
	p.host.s.stats.stalls.Add(1)
	p.host.s.trace.add("%s stalls at %v for %v", p, step, d)
	p.link.pause(d)
	time.Sleep(d)
}

func (p *process) events() worker.Events {
	s := p.host.s
	return worker.Events{
		TaskAssigned: func(id task.ID) {
			p.host.remember(id)
			s.trace.add("%s: task %s assigned", p, id)
		},
		TaskRestored: func(id task.ID, r worker.Restoration) {
			s.stats.restores.Add(1)
			s.stats.restored.Add(r.Records)
			if r.Rebuilt {
				s.stats.rebuilt.Add(1)
			}
			s.trace.add("%s: task %s restored: %+v", p, id, r)
		},
		TaskRevoked: func(id task.ID) { s.trace.add("%s: task %s revoked", p, id) },
		Counted:     func(id task.ID, c []graph.Counters) { s.account(p, id, c) },
		Committed: func(c worker.Committed) {
			s.stats.commits.Add(1)
			s.trace.add("%s committed %s", p, offsets(c))
		},
		Aborted: func(err error) {
			s.stats.aborts.Add(1)
			s.stats.note("abort", err)
			s.trace.add("%s aborted: %v", p, err)
		},
		Unknown: func(err error) {
			s.stats.unknown.Add(1)
			s.stats.note("unknown", err)
			s.trace.add("%s unknown: %v", p, err)
		},
		Poisoned: func(x task.Poison) {
			s.stats.poisoned.Add(1)
			s.trace.add("%s poisoned by %+v", p, x.Origin)
		},
		Warning: func(err error) {
			s.stats.note("warning", err)
			s.trace.add("%s warns: %v", p, err)
		},
	}
}

func offsets(c worker.Committed) string {
	var b strings.Builder
	for _, in := range c.Offsets {
		fmt.Fprintf(&b, "%s/%d@%d ", in.Topic, in.Partition, in.Offset)
	}
	return b.String()
}

// account is I9: every record a node has seen was processed or dropped for one
// reason.
func (s *sim) account(p *process, id task.ID, counters []graph.Counters) {
	for i, c := range counters {
		sum := c.Processed
		for _, n := range c.Dropped {
			sum += n
		}
		if sum != c.In {
			s.bad("I9: %s: task %s, node %d: %d records in, %d processed, dropped %v", p, id, i, c.In, c.Processed, c.Dropped)
		}
	}
}
