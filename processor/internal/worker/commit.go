package worker

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/millrace/millrace/state"
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
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), commitTimeout)
		v = w.committer.commit(ctx, b)
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
	for _, l := range w.leases {
		if l.task != nil && l.task.Dirty() {
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
			return nil, fmt.Errorf("prepare a commit: %w", err)
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

// applied ends a commit that Kafka has: only now the state is written.
func (w *Worker) applied(b *batch, began time.Time) error {
	w.cfg.Faults.at(AfterEnd)
	c := Committed{Tasks: len(b.leases)}
	c.Outputs, c.Entries = b.records()
	for _, l := range b.leases {
		n, _ := l.task.Weight()
		c.Records += n
		c.Offsets = append(c.Offsets, l.pending.Offsets...)
		w.cfg.Events.counted(l.id, l.task.Counters())
		if !b.early {
			if err := l.apply(b.at); err != nil {
				return err
			}
		}
		l.settle()
	}
	w.cfg.Faults.at(AfterApply)
	c.Duration = time.Since(began)
	w.cfg.Events.committed(c)
	return nil
}

// apply writes a task's committed state. Kafka is right whatever happens here:
// a state that cannot be written is read back from its changelog.
func (l *lease) apply(at time.Time) error {
	if err := l.task.Committed(l.next, at.UnixMilli()); err != nil {
		return fmt.Errorf("%w; the commit itself succeeded, a restart reads the state back", err)
	}
	return nil
}

// aborted answers a commit that failed for certain: the tasks go back to where
// the last commit left them.
func (w *Worker) aborted(ctx context.Context, b *batch, v verdict) error {
	w.cfg.Events.aborted(v.err)
	if err := w.surrender(b, v); err != nil {
		return err
	}
	if w.closing || ctx.Err() != nil {
		return w.lastWord(b, v)
	}
	for _, l := range b.leases {
		l.drop(w.cfg.Faults.KeepOverlay)
	}
	if refused(v.err) {
		w.held = time.Now().Add(w.cfg.HeartbeatInterval)
	}
	if v.doubt {
		if err := w.producer.reopen(ctx, w.cfg.Events.warning); err != nil {
			return err
		}
	}
	for _, l := range b.leases {
		if err := w.begin(l); err != nil {
			return err
		}
	}
	return nil
}

// inDoubt answers a commit whose outcome is not known (G7): nothing is assumed.
// The new client makes the broker decide; then the tasks read what it decided.
func (w *Worker) inDoubt(ctx context.Context, b *batch, v verdict) error {
	w.cfg.Events.unknown(v.err)
	if err := w.surrender(b, v); err != nil {
		return err
	}
	if w.closing || ctx.Err() != nil {
		return w.lastWord(b, v)
	}
	for _, l := range b.leases {
		w.stopReading(l)
		l.drop(w.cfg.Faults.KeepOverlay)
	}
	if err := w.producer.reopen(ctx, w.cfg.Events.warning); err != nil {
		return err
	}
	for _, l := range b.leases {
		w.restore(l)
	}
	return nil
}

// lastWord ends a commit that failed during the shutdown: nothing is tried
// again, but no transaction is left open either.
func (w *Worker) lastWord(b *batch, v verdict) error {
	for _, l := range b.leases {
		l.drop(false)
	}
	if !v.doubt {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), leaveTimeout)
	defer cancel()
	if err := w.producer.reopen(ctx, nil); err != nil {
		w.cfg.Events.warning(fmt.Errorf("a transaction may be open until it times out: %w", err))
	}
	return nil
}

// surrender returns the error that ends the worker, if no repetition can
// succeed.
func (w *Worker) surrender(b *batch, v verdict) error {
	if err := w.producer.fenced(v.err); err != nil {
		return err
	}
	if w.narrow(b, v.err) {
		return nil
	}
	if permanent(v.err) && !errors.Is(v.err, kerr.UnknownTopicID) {
		return v.err
	}
	return nil
}

// sendOutputs hands over what the tasks emit.
func (p *producer) sendOutputs(ctx context.Context, b *batch) {
	for _, l := range b.leases {
		for i := range l.pending.Outputs {
			o := &l.pending.Outputs[i]
			p.send(ctx, o.Topic, o.Partition, time.UnixMilli(o.Timestamp), o.Key, o.Value, o.Headers)
		}
	}
}

// sendEntries hands over the changes of state, without or only the positions,
// or both.
func (p *producer) sendEntries(ctx context.Context, applicationID string, b *batch, changes, positions bool) {
	for _, l := range b.leases {
		for i := range l.pending.Entries {
			e := &l.pending.Entries[i]
			if position := isPosition(e); position && !positions || !position && !changes {
				continue
			}
			topic := l.changelogs(applicationID)[e.Store]
			l.sent[i] = p.send(ctx, topic, l.id.Partition, b.at, e.Key, e.Value, nil)
		}
	}
}

// isPosition tells a position record from a change of state: its key is the tag
// alone.
func isPosition(e *state.Entry) bool { return len(e.Key) == 1 && e.Key[0] == 0 }

// changelogsBehind fills in, for each task of the batch, the changelog offsets
// behind what was just acknowledged.
func (p *producer) changelogsBehind(b *batch) error {
	for _, l := range b.leases {
		for i, e := range l.pending.Entries {
			offset := p.slab.at(l.sent[i]).Offset
			if offset < 0 {
				return fmt.Errorf("task %s, store %q: the broker did not say at which offset it wrote the changelog", l.id, l.sub.Stores[e.Store].Name)
			}
			l.next[e.Store] = max(l.next[e.Store], offset+1)
		}
	}
	return nil
}
