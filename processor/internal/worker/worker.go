package worker

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/millrace/millrace/processor/internal/partitioner"
	"github.com/millrace/millrace/processor/internal/task"
)

// A Worker runs its share of an application's tasks: one goroutine, one member
// of the consumer group, a pair of transactional producers.
//
// Everything in it belongs to the goroutine in Run, with four exceptions that
// are reached through channels only: the group client's callbacks, the
// restorer, the pipe that brings commits into Kafka, and errands.
//
// Always, between two turns: every running task's inputs follow on what it was
// handed, nothing in any store is newer than Kafka, and what is on its way into
// Kafka is in the pipe.
type Worker struct {
	cfg     Config
	waker   waker
	catalog *catalog

	fetcher  *fetcher
	member   *member
	batches  [pipeDepth]batch
	turnOf   int // the batch to be used next
	pipe     *pipe
	group    *group
	restorer *restorer

	leases []*lease // by task id
	first  int      // see inTurn
	routes map[topicPartition]route
	slabs  messageSlabs

	unread map[topicPartition]time.Duration // Config.Elapsed when it was last said; see warnOf
	ends   errand[answer]                   // see ask
	purged errand[error]                    // see purge
	reread errand[topicsRead]               // see rereadLimits

	queue  []*lease // to be restored, in this order
	away   *lease   // with the restorer
	recall context.CancelFunc

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

// A route says which task reads a partition, as which of its inputs.
type route struct {
	lease *lease
	input int
}

// New checks the configuration. It does not connect.
func New(cfg Config) (*Worker, error) {
	cfg.setDefaults()
	if err := cfg.validate(); err != nil {
		return nil, fmt.Errorf("worker: %w", err)
	}
	cfg.Graph = cfg.Graph.Bind(cfg.ApplicationID)
	return &Worker{cfg: cfg, routes: map[topicPartition]route{}}, nil
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
		if w.pipe != nil {
			w.pipe.drain(leaveTimeout)
		}
		w.leave()
		return fmt.Errorf("worker %d of %q: %w", w.cfg.Index, w.cfg.ApplicationID, err)
	}
	return w.shutdown(ctx)
}

// open connects, looks around, settles what a former incarnation left, and
// joins the group.
func (w *Worker) open(ctx context.Context) (over bool, err error) {
	if w.fetcher, err = newFetcher(w.cfg.Client, &w.waker); err != nil {
		return false, err
	}
	if w.catalog, err = lookAround(ctx, &w.cfg, w.fetcher.client); err != nil {
		return false, err
	}
	w.lastRead = time.Now()
	w.warnOfBounds()
	w.group = &group{w.cfg.ApplicationID, w.fetcher.client, w.catalog.ids}
	if err := w.openPipe(ctx); err != nil {
		return false, err
	}
	w.buryFormer(ctx)
	if over, err := w.precheck(ctx); over || err != nil {
		return over, err
	}
	if w.member, err = newMember(&w.cfg, &balancer{layout: &w.catalog.layout, needs: w.needs}, &w.waker); err != nil {
		return false, err
	}
	w.restorer = newRestorer(w)
	go w.restorer.run()
	return false, nil
}

// openPipe opens the producers, one for each batch, and the pipe.
func (w *Worker) openPipe(ctx context.Context) error {
	var c committer = &atLeastOnce{w.group, &w.cfg.Faults}
	if w.cfg.Guarantee == ExactlyOnce {
		c = &exactlyOnce{w.group, w.catalog.stepped, &w.cfg.Faults}
	}
	for i := range w.batches {
		txnID := ""
		if w.cfg.Guarantee == ExactlyOnce {
			txnID = fmt.Sprintf("%s-%s-%d-%d", w.cfg.ApplicationID, w.cfg.Storage.ProcessID(), w.cfg.Index, i)
		}
		w.batches[i].producer = newProducer(&w.cfg, txnID, w.catalog)
		if err := w.batches[i].producer.open(ctx, w.cfg.Events.warning); err != nil {
			return err
		}
	}
	w.pipe = newPipe(c, &w.cfg.Faults, &w.waker)
	return nil
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
		err = w.group.leave(ctx, former, "a former incarnation has died")
	}
	if err != nil {
		w.cfg.Events.warning(fmt.Errorf("a former incarnation keeps its tasks until its session ends: %w", err))
	}
}

// drainAfter bounds what is on its way into Kafka from the end of ctx on, for the
// worker may be waiting for it then. The caller calls what it returns.
func (w *Worker) drainAfter(ctx context.Context) (stop func() bool) {
	return context.AfterFunc(ctx, func() { time.AfterFunc(w.cfg.Drain, w.pipe.cancel) })
}

// shutdown ends an orderly run.
func (w *Worker) shutdown(ctx context.Context) error {
	w.closing = true
	var errs []error
	if w.member != nil {
		timer := time.AfterFunc(w.cfg.Drain, w.pipe.cancel)
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
	who := w.member.identity()
	w.member.stop()
	if who.member == "" {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), leaveTimeout)
	defer cancel()
	if err := w.group.leave(ctx, who.member, "the worker shuts down"); err != nil {
		w.cfg.Events.warning(err)
		return
	}
	w.noteMember("")
}

// release lets go of whatever is still held. After a crash planted by a test it
// is all that runs, and it says nothing to anyone.
func (w *Worker) release() {
	if w.member != nil {
		w.member.stop()
	}
	if w.restorer != nil {
		w.takeAllBack()
		close(w.restorer.orders)
		for range w.restorer.out { // until it has ended
		}
	}
	if w.pipe != nil {
		w.pipe.close()
	}
	for i := range w.batches {
		if p := w.batches[i].producer; p != nil {
			p.close()
		}
	}
	for _, l := range w.leases {
		_ = l.close(false) // nothing is lost: Kafka has everything
	}
	w.leases = nil
	if w.fetcher != nil {
		w.fetcher.close()
	}
}

// newTask builds a lease's task at the lease's positions.
func (w *Worker) newTask(l *lease) error {
	cfg := task.Config{
		ID: l.id, ApplicationID: w.cfg.ApplicationID, Version: w.cfg.Version,
		Subtopology: l.subtopology(), Stores: l.stores, CatchUp: l.catchUp(),
		Partitions: w.catalog.sinkPartitions(w.cfg.Graph), Partition: partitioner.New(),
		Tasks: w.catalog.layout.partitions[l.id.Subtopology],
		Skip:  l.skip, Careful: l.careful, Exact: l.exact, Limits: w.catalog.topics, MaxIdle: w.cfg.maxIdle(), Run: w.cfg.run(), LogicalNow: l.logicalNow,
		Wall:    w.cfg.Now().UnixMilli(),
		Planted: w.cfg.Faults.Planted,
	}
	l.setAside()
	l.setLimits(w.catalog, w.cfg.ApplicationID)
	for _, in := range l.inputs {
		cfg.Inputs = append(cfg.Inputs, task.Input{
			Topic: in.topic, TopicID: w.catalog.topicID(in.topic), Partition: in.partition, Offset: in.offset,
			Watermark: in.watermark, Highest: in.highest, Upstream: in.upstream, Formats: in.formats, Notes: in.notes, Failed: in.failed, End: in.end, Finished: in.finished,
		})
	}
	t, err := task.New(cfg)
	if err != nil {
		return err
	}
	l.task = t
	return nil
}
