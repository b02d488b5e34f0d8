package worker

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// An outcome is what became of a commit.
type outcome uint8

const (
	done    outcome = iota // Kafka has all of it
	undone                 // Kafka has none of it, and never will
	unknown                // one of the two; only Kafka can say
)

// A verdict is the outcome of a commit with its reason.
type verdict struct {
	outcome outcome
	err     error // the reason, unless done
	doubt   bool  // the producer's transaction is in an unclear state: open a new client
}

// A committer brings a batch into Kafka. One of them gives exactly-once, the
// other at-least-once; everything around them is the same.
type committer interface {
	commit(ctx context.Context, b *batch) verdict
}

// A batch is one commit of a worker: all its tasks that have something to
// commit, each with its pending commit.
type batch struct {
	leases []*lease
	who    identity
	at     time.Time
	polled bool // planted bug: see Faults.CommitPolled
	lazy   bool // planted bug: see Faults.TimerWithoutOffsets
	early  bool // planted bug: see Faults.ApplyBeforeCommit
}

// records says whether the batch writes anything beside offsets.
func (b *batch) records() (outputs, entries int) {
	for _, l := range b.leases {
		outputs += len(l.pending.Outputs)
		entries += len(l.pending.Entries)
	}
	return outputs, entries
}

// pledges are the offsets of every task in the batch, also of those that did
// not move: the check of the generation that comes with an offset is the only
// thing that keeps a worker from writing for tasks it has lost.
func (b *batch) pledges() []pledge {
	var all []pledge
	for _, l := range b.leases {
		for i, o := range l.pending.Offsets {
			offset := o.Offset
			if b.polled {
				offset = max(offset, l.inputs[i].polled)
			}
			if b.lazy && offset == l.inputs[i].offset {
				continue
			}
			all = append(all, pledge{topicPartition{o.Topic, o.Partition}, offset, l.pending.Metadata[i]})
		}
	}
	return all
}

// commit runs one commit cycle: everything dirty in one transaction, and then
// whatever its outcome asks for. An error ends the worker.
func (w *Worker) commit(ctx context.Context) error {
	began := time.Now()
	w.lastCommit = began
	b, err := w.prepare()
	if err != nil || b == nil {
		return err
	}
	v := verdict{undone, w.lapsed(b), false}
	if v.err == nil {
		timeout := commitTimeout
		if w.closing {
			timeout = w.cfg.Drain
		}
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), timeout)
		v = w.bring(ctx, b)
		cancel()
	}
	if v.outcome == unknown && w.cfg.Faults.UnknownAsCommitted {
		v.outcome = done
	}
	switch v.outcome {
	case done:
		return w.applied(b, began)
	case undone:
		return w.aborted(ctx, b, v)
	}
	return w.inDoubt(ctx, b, v)
}

func (w *Worker) bring(ctx context.Context, b *batch) verdict {
	if w.cfg.Faults.HeartbeatOutside {
		if err := w.tellOutside(ctx, b); err != nil {
			return verdict{undone, err, false}
		}
	}
	return w.committer.commit(ctx, b)
}

// commitTimeout bounds a commit cycle. What takes longer is treated as unknown
// or given up.
const commitTimeout = 60 * time.Second

// prepare freezes every task that has something to commit. It returns nil if
// none has.
func (w *Worker) prepare() (*batch, error) {
	b := &batch{
		who: w.member.identity(), at: w.cfg.Now(),
		polled: w.cfg.Faults.CommitPolled, lazy: w.cfg.Faults.TimerWithoutOffsets,
	}
	for l := range w.running() {
		if l.task.Dirty() {
			b.leases = append(b.leases, l)
		}
	}
	if len(b.leases) == 0 {
		return nil, nil
	}
	w.cfg.Faults.at(BeforePrepare)
	for _, l := range b.leases {
		c, err := l.task.Prepare()
		if err != nil {
			return nil, w.unprepare(b, l, fmt.Errorf("prepare a commit: %w", err))
		}
		l.pending = c
		l.next = resize(l.next, len(l.sub.Stores), -1)
		l.sent = resize(l.sent, len(c.Entries), -1)
	}
	return b, nil
}

func resize[T any](s []T, n int, fill T) []T {
	s = s[:0]
	for range n {
		s = append(s, fill)
	}
	return s
}

// lapsed is guard G2. The group client can be thrown out of the group and join
// again under another name without telling; the broker would then accept a
// commit for tasks that had another owner in between.
func (w *Worker) lapsed(b *batch) error {
	if w.cfg.Faults.NoG2 {
		return nil
	}
	for _, l := range b.leases {
		if !b.who.owns(l.owner) {
			return fmt.Errorf("task %s was assigned to member %q; now the worker is member %q: %w", l.id, l.owner.member, b.who.member, errLapsed)
		}
	}
	return nil
}

// errLapsed says that a task was lost without a word.
var errLapsed = errors.New("the ownership has lapsed")
