package worker

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/millrace/millrace/processor/internal/broker"
	"github.com/millrace/millrace/processor/internal/commit"
	"github.com/millrace/millrace/processor/internal/group"
	"github.com/millrace/millrace/processor/internal/partitioner"
	"github.com/millrace/millrace/processor/internal/task"
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

	leases []*lease // by task id
	first  int      // see inTurn
	routes routes
	slabs  messageSlabs

	unread map[broker.TopicPartition]time.Duration // Config.Elapsed when it was last said; see warnOf
	ends   broker.AsyncRequest[answer]             // see ask
	purged broker.AsyncRequest[error]              // see purge
	reread broker.AsyncRequest[topicsRead]         // see rereadLimits

	lastPoll   time.Time
	lastCommit time.Time
	held       time.Time // see hold
	undone     int       // commits in a row; see calmDown
	lastLook   time.Time // see over
	nextAsk    time.Time // see ask
	lastPurge  time.Time
	lastRead   time.Time // see rereadLimits
	lastTimes  time.Time // see tellTimes
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
	return &Worker{cfg: cfg, routes: routes{}}, nil
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

// memberNote is where the worker's name in the group is kept between runs.
func (w *Worker) memberNote() string { return fmt.Sprintf("member-%d", w.cfg.Index) }

// noteMember keeps the worker's name in the group for its next incarnation.
func (w *Worker) noteMember(id string) {
	if err := w.cfg.Storage.SetNote(w.memberNote(), id); err != nil {
		w.cfg.Events.warning(fmt.Errorf("a restart after a crash will have to wait for the session of member %q: %w", id, err))
	}
}

// buryFormer takes the seat of a former incarnation out of the group, which
// after a kill would hold on to its tasks until the session times out.
func (w *Worker) buryFormer(ctx context.Context) {
	former, err := w.cfg.Storage.Note(w.memberNote())
	if err == nil && former != "" {
		err = w.group.Leave(ctx, former, "a former incarnation has died")
	}
	if err != nil {
		w.cfg.Events.warning(fmt.Errorf("a former incarnation keeps its tasks until its session ends: %w", err))
	}
}

// drainAfter bounds what is on its way into Kafka from the end of ctx on, for the
// worker may be waiting for it then. The caller calls what it returns.
func (w *Worker) drainAfter(ctx context.Context) (stop func() bool) {
	return context.AfterFunc(ctx, func() { time.AfterFunc(w.cfg.Drain, w.pipeline.Cut) })
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
	for len(w.leases) > 0 {
		errs = append(errs, w.end(w.leases[0], true))
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
	w.noteMember("")
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
	for _, l := range w.leases {
		_ = l.Close(false) // nothing is lost: Kafka has everything
	}
	w.leases = nil
	if w.fetcher != nil {
		w.fetcher.Close()
	}
}

// newTask builds a lease's task at the lease's positions.
func (w *Worker) newTask(l *lease) error {
	cfg := task.Config{
		ID: l.ID, ApplicationID: w.cfg.ApplicationID, Version: w.cfg.Version,
		Subtopology: l.Subtopology(), Stores: l.Stores, CatchUp: l.CatchUp(),
		Partitions: w.catalog.SinkPartitions(w.cfg.Graph), Partition: partitioner.New(),
		Tasks: w.catalog.Layout.Partitions[l.ID.Subtopology],
		Skip:  l.skip, Careful: l.careful, Exact: l.exact, Limits: w.catalog.Limits(), MaxIdle: w.cfg.maxIdle(), Run: w.cfg.run(), LogicalNow: l.LogicalNow,
		Wall:    w.cfg.Now().UnixMilli(),
		Planted: w.cfg.Faults.Planted,
	}
	l.SetAside()
	l.setLimits(w.catalog, w.cfg.ApplicationID)
	for _, in := range l.Inputs {
		cfg.Inputs = append(cfg.Inputs, task.Input{
			Topic: in.Topic, TopicID: w.catalog.TopicID(in.Topic), Partition: in.Partition, Offset: in.Offset,
			Watermark: in.Watermark, Highest: in.Highest, Upstream: in.Upstream, Formats: in.Formats, Notes: in.Notes, Failed: in.Failed, End: in.End, Finished: in.Finished,
		})
	}
	t, err := task.New(cfg)
	if err != nil {
		return err
	}
	return l.run(t)
}
