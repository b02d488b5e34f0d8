package worker

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/millrace/millrace/processor/internal/task"
	"github.com/millrace/millrace/state"
)

// An order hands a lease to the restorer. The context ends when the worker
// wants it back.
type order struct {
	ctx   context.Context
	lease *lease
}

// A delivery hands it back. Unless err is set, the stores of the lease reflect
// the committed offsets in its inputs.
type delivery struct {
	lease    *lease
	restored Restoration
	err      error
}

// A restorer brings the state of tasks up to date, one after the other, on a
// goroutine of its own, so that the worker goes on with the tasks it has. A
// lease travels to it and back; in between nobody else touches it.
//
// The order of the steps is the proof that nothing is missed. First the stable
// offsets: from then on the transaction of a former owner is decided, and what
// it committed lies below an end of the changelog that is asked for
// afterwards. That end must be the one that counts open transactions, for the
// markers of a decided one may still be on their way; the reader waits for
// them.
//
// A state that does not fit the offsets is thrown away only if these still hold:
// a worker that was thrown out of the group learns of it with its next heartbeat,
// and until then the next owner may have gone on.
type restorer struct {
	cfg     *Config
	catalog *catalog
	group   *group
	client  *kgo.Client // for requests; the fetcher's
	member  *member
	waker   *waker
	reader  *kgo.Client // of changelogs; opened when first needed
	orders  chan order
	out     chan delivery
	notes   chan error // warnings, for the worker to pass on; lost when too many
	current *delivery
}

// notesKept bounds the warnings that wait for the worker.
const notesKept = 32

func newRestorer(w *Worker) *restorer {
	return &restorer{
		cfg: &w.cfg, catalog: w.catalog, group: w.group, client: w.fetcher.client, member: w.member, waker: &w.waker,
		orders: make(chan order, 1), out: make(chan delivery, 1), notes: make(chan error, notesKept),
	}
}

// run works until orders is closed, then closes out.
func (r *restorer) run() {
	defer close(r.out)
	for o := range r.orders {
		began := time.Now()
		d := delivery{lease: o.lease}
		r.current = &d
		d.err = retry(o.ctx, r.note, func(ctx context.Context) error { return r.restore(ctx, o.lease) })
		if d.err != nil {
			d.err = fmt.Errorf("task %s: restore: %w", o.lease.id, d.err)
		}
		d.restored.Duration = time.Since(began)
		r.out <- d
		r.waker.wake()
	}
	if r.reader != nil {
		r.reader.Close()
	}
}

func (r *restorer) note(err error) {
	select {
	case r.notes <- fmt.Errorf("task %s: restore: %w", r.current.lease.id, err):
		r.waker.wake()
	default:
	}
}

// restore is R1 to R8 of the restore cycle.
func (r *restorer) restore(ctx context.Context, l *lease) error {
	for {
		offsets, err := r.stable(ctx, l.sources()) // R1
		if err != nil {
			return err
		}
		if err := errors.Join(r.admit(l, offsets), r.refuseRemade(l, offsets)); err != nil {
			return err
		}
		if err := r.open(l); err != nil { // R2
			return err
		}
		f := &fitting{cfg: r.cfg, catalog: r.catalog, lease: l, offsets: offsets}
		misfit := r.readChangelogs(ctx, l, offsets) // R3 to R6
		if misfit == nil {
			misfit = f.fit() // R7
		}
		if misfit == nil {
			misfit = r.fedByOthers(ctx, l, f)
		}
		if misfit == nil {
			return r.settle(ctx, l, f)
		}
		if !unusable(misfit) {
			return misfit
		}
		if overtaken, err := r.overtaken(ctx, l, offsets); err != nil {
			return err
		} else if overtaken {
			continue
		}
		if err := r.discard(l, misfit); err != nil {
			return err
		}
	}
}

// overtaken says that the offsets were committed anew since they were asked for:
// the worker has lost the task and has not heard of it yet. What was compared
// with them says nothing about the state.
func (r *restorer) overtaken(ctx context.Context, l *lease, before map[topicPartition]committed) (bool, error) {
	now, err := r.stable(ctx, l.sources())
	if err != nil {
		return false, err
	}
	for tp, c := range before {
		if now[tp].offset != c.offset {
			return true, nil
		}
	}
	return false, nil
}

// settle is R8: it sets where the task goes on.
func (r *restorer) settle(ctx context.Context, l *lease, f *fitting) error {
	if err := r.takePositions(ctx, l, f); err != nil {
		return err
	}
	if err := r.bringUp(ctx, l, f); err != nil {
		return err
	}
	return r.fixEnds(ctx, l, f.offsets)
}

// How long a restore waits for the open transaction of a former owner before it
// asks again, and before it says so.
const (
	unstablePause  = 50 * time.Millisecond
	unstableSilent = 5 * time.Second
)

// stable returns the committed offsets once they are decided.
func (r *restorer) stable(ctx context.Context, parts map[string][]int32) (map[topicPartition]committed, error) {
	for said := time.Now(); ; {
		offsets, err := r.group.fetch(ctx, parts, true)
		if !errors.Is(err, kerr.UnstableOffsetCommit) {
			return offsets, err
		}
		if time.Since(said) > unstableSilent {
			said = time.Now()
			r.note(fmt.Errorf("waiting for the transaction of a former owner to end or to time out: %w", err))
		}
		if !Sleep(ctx, unstablePause) {
			return nil, ctx.Err()
		}
	}
}

// sources lists the lease's source partitions for an offset fetch.
func (l *lease) sources() map[string][]int32 {
	parts := map[string][]int32{}
	for _, in := range l.inputs {
		parts[in.topic] = []int32{in.partition}
	}
	return parts
}

// admit refuses offsets that this run must not go on from.
func (r *restorer) admit(l *lease, offsets map[topicPartition]committed) error {
	for _, in := range l.inputs {
		c, ok := offsets[in.topicPartition]
		if !ok {
			return fmt.Errorf("topic %q partition %d: the group's answer leaves it out", in.topic, in.partition)
		}
		if err := c.admit(r.cfg.ApplicationID, in.topicPartition, r.cfg.run()); err != nil {
			return err
		}
		if err := c.admitFormat(in.topicPartition, l.sub.Format(in.topic)); err != nil {
			return err
		}
	}
	return nil
}

// open opens the stores if they are not open yet; what cannot be opened because
// it is damaged is put aside, for the changelogs have it all.
func (r *restorer) open(l *lease) error {
	if l.stores != nil || len(l.sub.Stores) == 0 {
		return nil
	}
	name, id := l.id.String(), state.Identity{ApplicationID: r.cfg.ApplicationID, Task: l.id.String()}
	stores, err := r.cfg.Storage.Open(name, id, l.sub.Stores)
	if errors.Is(err, state.ErrCorrupt) {
		r.note(fmt.Errorf("its state is damaged and is built anew from the changelogs: %w", err))
		r.current.restored.Rebuilt = true
		if err := r.cfg.Storage.Quarantine(name); err != nil {
			return fmt.Errorf("put its damaged state aside: %w: %w", err, errPermanent)
		}
		stores, err = r.cfg.Storage.Open(name, id, l.sub.Stores)
	}
	if errors.Is(err, state.ErrLocked) { // another worker of the process has yet to hear that it lost the task
		return fmt.Errorf("open its state: %w", err)
	}
	if errors.Is(err, state.ErrMeaning) {
		return changedMeaning(l, err)
	}
	if err != nil {
		return fmt.Errorf("open its state: %w: %w", err, errPermanent)
	}
	l.stores = stores
	return nil
}

// discard puts a state aside that is of no use, once. What is built anew from
// the whole changelog and still does not fit is beyond repair.
func (r *restorer) discard(l *lease, reason error) error {
	if err := l.close(false); err != nil {
		r.note(err)
	}
	if l.rebuilt {
		return fmt.Errorf("%w; building it anew did not help: %w", reason, ErrReset)
	}
	l.rebuilt, r.current.restored.Rebuilt = true, true
	r.note(fmt.Errorf("its state is built anew from the changelogs: %w", reason))
	if err := r.cfg.Storage.Quarantine(l.id.String()); err != nil {
		return fmt.Errorf("put its state aside: %w: %w", err, errPermanent)
	}
	return nil
}

// takePositions sets where the task goes on: at the committed offsets, at the
// beginning of what was never committed, and with at-least-once where the state
// is, if that is further.
func (r *restorer) takePositions(ctx context.Context, l *lease, f *fitting) error {
	for i := range l.inputs {
		in := &l.inputs[i]
		c := f.offsets[in.topicPartition]
		in.offset, in.watermark, in.highest, in.upstream = c.offset, c.meta.Watermark, c.meta.Highest, c.meta.Upstream
		in.formats = c.meta.Formats
		in.end, in.finished, in.notes, in.failed = c.meta.End, c.meta.Finished, r.notesOf(l, c), c.meta.Failed
		p, ok := l.applied(in.topicPartition, c.meta.Notes)
		if ok && p.Offset == in.offset {
			in.upstream = p.Upstream // the metadata may be too small for it
		}
		if ok && r.cfg.Guarantee == AtLeastOnce && p.Offset > in.offset {
			in.stand(p)
		}
		if in.offset < 0 {
			start, err := logStart.offsets(ctx, r.client, []topicPartition{in.topicPartition})
			if err != nil {
				return err
			}
			in.offset = start[in.topicPartition]
		}
		if r.cfg.Faults.NoWatermark {
			in.watermark, in.highest = noCommit.meta.Watermark, noCommit.meta.Highest
		}
		l.logicalNow = c.meta.LogicalNow
	}
	return nil
}

// applied returns how far the lease's state has got in a source partition: the
// store that has got furthest, of those that the notes do not say were away. With
// at-least-once a crash can come between the positions of two stores; all their
// changes were written before.
func (l *lease) applied(tp topicPartition, notes []task.Note) (furthest state.Input, ok bool) {
	if l.stores == nil {
		return state.Input{}, false
	}
	for i, s := range l.sub.Stores {
		if note, noted := task.FindNote(notes, l.topics[i]); noted && note.Stopped != task.Following {
			continue
		}
		p, _ := l.stores.Position(s.Name)
		if in, read := inputOf(p, tp); read && (!ok || in.Offset > furthest.Offset) {
			furthest, ok = in, true
		}
	}
	return furthest, ok
}
