package restore

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/millrace/millrace/processor/internal/broker"
	"github.com/millrace/millrace/processor/internal/group"
)

// An order hands the state of a task to the restorer. The context ends when the
// worker wants it back.
type order struct {
	ctx  context.Context
	task *TaskState
}

// A Delivery hands the state of a task back. Unless Err is set, the stores reflect
// the committed offsets in the inputs.
type Delivery struct {
	Restored  Restoration
	Err       error
	task      *TaskState
	discarded bool // its state was thrown away once, because it did not fit
}

// A Restoration says what it took to bring a task's state up to date.
type Restoration struct {
	Records  int64 // read from changelogs
	Duration time.Duration
	Rebuilt  bool // the local state could not be used and was built anew
}

// A Restorer brings the state of tasks up to date, one after the other, on a
// goroutine of its own, so that the worker goes on with the tasks it has. A
// TaskState travels to it and back; in between nobody else touches it.
//
// The order of the steps is the proof that nothing is missed:
//
//   - First the stable offsets. From then on the transaction of a former owner is
//     decided, and what it committed lies below any end of the changelog that is
//     asked for later.
//   - Then that end, with open transactions counted. The markers of a decided one
//     may still be on their way, and the reader waits for them.
//
// A state that does not fit the offsets is thrown away only if these still hold.
// Else it may be the offsets that are old: a worker that was thrown out of the
// group learns of it with its next heartbeat, and until then the next owner may
// have gone on.
type Restorer struct {
	Deliveries chan Delivery // one for each order, for the worker
	Notes      chan error    // warnings, for the worker to pass on; lost when too many

	cfg     Config
	waker   *broker.Waker
	reader  *kgo.Client // of changelogs; opened when first needed
	orders  chan order
	current *Delivery
}

// warningsKept bounds the warnings that wait for the worker.
const warningsKept = 32

// Start starts the restorer's goroutine, which Close ends. The waker is woken whenever
// a delivery or a note is there.
func Start(cfg Config, w *broker.Waker) *Restorer {
	r := &Restorer{cfg: cfg, waker: w, orders: make(chan order, 1), Deliveries: make(chan Delivery, 1), Notes: make(chan error, warningsKept)}
	go r.run()
	return r
}

// Order gives the restorer the state of a task, until it is delivered. The worker
// orders one at a time, so this never blocks. The end of ctx brings it back at once.
func (r *Restorer) Order(ctx context.Context, t *TaskState) { r.orders <- order{ctx, t} }

// Close ends the goroutine and waits for that. Nothing may be with the restorer.
func (r *Restorer) Close() {
	close(r.orders)
	for range r.Deliveries { // until it has ended
	}
}

// run works until orders is closed, then closes Deliveries.
func (r *Restorer) run() {
	defer close(r.Deliveries)
	for o := range r.orders {
		began := time.Now()
		d := Delivery{task: o.task}
		r.current = &d
		d.Err = broker.Retry(o.ctx, r.note, func(ctx context.Context) error { return r.restore(ctx, o.task) })
		if d.Err != nil {
			d.Err = fmt.Errorf("task %s: restore: %w", o.task.ID, d.Err)
		}
		d.Restored.Duration = time.Since(began)
		r.Deliveries <- d
		r.waker.Wake()
	}
	if r.reader != nil {
		r.reader.Close()
	}
}

func (r *Restorer) note(err error) {
	select {
	case r.Notes <- fmt.Errorf("task %s: restore: %w", r.current.task.ID, err):
		r.waker.Wake()
	default:
	}
}

// restore is R1 to R8 of the restore cycle; see the package's comment.
func (r *Restorer) restore(ctx context.Context, t *TaskState) error {
	for {
		offsets, err := r.stable(ctx, t.sources()) // R1
		if err != nil {
			return err
		}
		if err := errors.Join(r.admit(t, offsets), r.refuseRemade(t, offsets)); err != nil {
			return err
		}
		if err := r.open(t); err != nil { // R2
			return err
		}
		f := &fitting{cfg: &r.cfg, task: t, offsets: offsets}
		misfit := r.readChangelogs(ctx, t, offsets) // R3 to R6
		if misfit == nil {
			misfit = f.fit() // R7
		}
		if misfit == nil {
			misfit = r.fedByOthers(ctx, t, f)
		}
		if misfit == nil {
			return r.settle(ctx, t, f)
		}
		if !unusable(misfit) {
			return misfit
		}
		if overtaken, err := r.overtaken(ctx, t, offsets); err != nil {
			return err
		} else if overtaken {
			continue
		}
		if err := r.discard(t, misfit); err != nil {
			return err
		}
	}
}

// overtaken reports whether the offsets were committed anew since they were asked for:
// the worker has lost the task and has not heard of it yet. What was compared
// with them says nothing about the state.
func (r *Restorer) overtaken(ctx context.Context, t *TaskState, before map[broker.TopicPartition]group.Committed) (bool, error) {
	now, err := r.stable(ctx, t.sources())
	if err != nil {
		return false, err
	}
	for tp, c := range before {
		if now[tp].Offset != c.Offset {
			return true, nil
		}
	}
	return false, nil
}

// settle is R8: it sets where the task goes on.
func (r *Restorer) settle(ctx context.Context, t *TaskState, f *fitting) error {
	if err := r.takePositions(ctx, t, f); err != nil {
		return err
	}
	if err := r.bringUp(ctx, t, f); err != nil {
		return err
	}
	return r.fixEnds(ctx, t, f.offsets)
}

// How long a restore waits for the open transaction of a former owner before it
// asks again, and before it says so.
const (
	unstablePause  = 50 * time.Millisecond
	unstableSilent = 5 * time.Second
)

// stable returns the committed offsets once they are decided, but for those that were
// given up.
func (r *Restorer) stable(ctx context.Context, parts map[string][]int32) (map[broker.TopicPartition]group.Committed, error) {
	for said := time.Now(); ; {
		offsets, err := r.cfg.Offsets.Fetch(ctx, parts, true)
		if !errors.Is(err, kerr.UnstableOffsetCommit) {
			r.forget(offsets)
			return offsets, err
		}
		if time.Since(said) > unstableSilent {
			said = time.Now()
			r.note(fmt.Errorf("waiting for the transaction of a former owner to end or to time out: %w", err))
		}
		if !broker.Sleep(ctx, unstablePause) {
			return nil, ctx.Err()
		}
	}
}

// admit refuses offsets that this run must not go on from.
func (r *Restorer) admit(t *TaskState, offsets map[broker.TopicPartition]group.Committed) error {
	for _, in := range t.Inputs {
		c, ok := offsets[in.TopicPartition]
		if !ok {
			return fmt.Errorf("topic %q partition %d: the group's answer leaves it out", in.Topic, in.Partition)
		}
		if err := c.Admit(r.cfg.ApplicationID, in.TopicPartition, r.cfg.Run); err != nil {
			return err
		}
		if err := AdmitFormat(c, in.TopicPartition, t.Sub.Format(in.Topic)); err != nil {
			return err
		}
	}
	return nil
}
