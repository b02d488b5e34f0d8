package worker

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/millrace/millrace/processor/internal/broker"
	"github.com/millrace/millrace/processor/internal/commit"
	"github.com/millrace/millrace/processor/internal/group"
	"github.com/millrace/millrace/processor/internal/topics"
)

// A Worker runs its share of an application's tasks: one goroutine, one member
// of the consumer group, a pair of transactional producers.
//
// Everything in it belongs to the goroutine in Run, with four exceptions that
// are reached through channels only: the group client's callbacks, the
// restorer, the pipeline that brings commits into Kafka, and requests that no task
// waits for.
//
// Always, between two turns: every running task's inputs follow on what it was
// handed, nothing in any store is newer than Kafka, and what is on its way into
// Kafka is in the pipeline.
type Worker struct {
	cfg     Config
	waker   broker.Waker
	catalog *topics.Catalog

	fetcher  *broker.Fetcher
	member   *group.Member
	pipeline *commit.Pipeline
	group    *group.Offsets
	restores restoreLine

	leases leases
	routes routes
	slabs  messageSlabs

	note    memberNote
	trouble readTrouble
	ends    endsRequest
	purge   purger
	limits  topicLimits
	times   timesTeller
	search  search

	lastPoll   time.Time
	lastCommit time.Time
	held       time.Time // see hold
	undone     int       // commits in a row; see calmDown
	lastLook   time.Time // see over
	waiting    bool      // a task has records but waits for others
	busy       bool      // the last turn left something to process
	closing    bool
}

// New checks the configuration. It does not connect.
func New(cfg Config) (*Worker, error) {
	cfg.setDefaults()
	if err := cfg.validate(); err != nil {
		return nil, fmt.Errorf("worker: %w", err)
	}
	cfg.Graph = cfg.Graph.Bind(cfg.ApplicationID)
	w := &Worker{cfg: cfg, routes: routes{}}
	w.note = memberNote{cfg.Storage, fmt.Sprintf("member-%d", cfg.Index), w.cfg.Events.warning}
	return w, nil
}

// Run works until ctx ends, a bounded run is over, or something happens that
// needs a human; only the last is an error. It may be called once.
//
// When ctx ends, what is in hand is committed, the group is left and the stores
// are flushed and closed. After an error, what is already on its way into Kafka
// has a moment to arrive; nothing else is committed then, nor after a panic.
func (w *Worker) Run(ctx context.Context) error {
	defer w.release()
	over, err := w.open(ctx)
	if err == nil && !over {
		err = w.loop(ctx)
	}
	if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		err = nil
	}
	if err != nil {
		if w.pipeline != nil {
			w.pipeline.Drain(leaveTimeout)
		}
		w.leave()
		return fmt.Errorf("worker %d of %q: %w", w.cfg.Index, w.cfg.ApplicationID, err)
	}
	return w.shutdown(ctx)
}

// shutdown ends an orderly run.
func (w *Worker) shutdown(ctx context.Context) error {
	w.closing = true
	var errs []error
	if w.member != nil {
		timer := time.AfterFunc(w.cfg.Drain, w.pipeline.Cut)
		errs = append(errs, w.commitAll(ctx))
		timer.Stop()
	}
	for len(w.leases.all) > 0 {
		errs = append(errs, w.end(w.leases.all[0], true))
	}
	w.leave()
	return errors.Join(errs...)
}

// leaveTimeout bounds the farewell to the group.
const leaveTimeout = 5 * time.Second

// leave gives the seat in the group back, so that others take over at once.
func (w *Worker) leave() {
	if w.member == nil {
		return
	}
	who := w.member.Identity()
	w.member.Stop()
	if who.Member == "" {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), leaveTimeout)
	defer cancel()
	if err := w.group.Leave(ctx, who.Member, "the worker shuts down"); err != nil {
		w.cfg.Events.warning(err)
		return
	}
	w.note.keep("")
}

// release lets go of whatever is still held. After a crash planted by a test it
// is all that runs, and it says nothing to anyone.
func (w *Worker) release() {
	if w.member != nil {
		w.member.Stop()
	}
	w.restores.close()
	if w.pipeline != nil {
		w.pipeline.Close()
	}
	for _, l := range w.leases.all {
		_ = l.Close(false) // nothing is lost: Kafka has everything
	}
	w.leases = leases{}
	if w.fetcher != nil {
		w.fetcher.Close()
	}
}
