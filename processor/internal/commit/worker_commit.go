package commit

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/millrace/millrace/processor/internal/group"
	"github.com/millrace/millrace/processor/internal/task"
	"github.com/millrace/millrace/state"
)

// A WorkerCommit is one commit of a worker: everything that its tasks have done
// since the last one. The worker fills it and puts it into the pipeline; there each stage
// has it alone for its time, and when it has landed it is the worker's again.
//
// A worker has as many of them as the pipeline is deep and uses them in turn. Each
// has a producer of its own, and with it a transactional id: the transaction of
// one may still be ending while that of the next is open, which one id cannot
// do.
type WorkerCommit struct {
	Parts   []TaskCommit
	Offsets []group.OffsetCommit
	Who     group.Identity // under which the offsets are committed
	At      time.Time      // by the wall clock: dates the changelog
	Began   time.Time
	Verdict Verdict // set when it has landed
	Early   bool    // it is applied already: a planted bug, see PutEarly

	producer *producer
	open     bool          // a transaction may be open
	written  chan struct{} // planted bug ApplyBeforeCommit: the first stage is through
}

// A TaskCommit is what one task wants committed. The stages read it and leave the
// task alone.
type TaskCommit struct {
	ID     task.ID
	Task   *task.Task // whose commit it is; another may run under the id by now
	Commit *task.Commit
	stores []state.Spec // in the order of the commit's entries
	topics []string     // their changelogs
	sent   []int        // the number of each of the commit's entries in the producer
	next   []int64      // changelog offsets after them, by store
	known  []int64      // changelog offsets that the stores have followed to
}

// clear empties the commit for the next commit and keeps its memory.
func (b *WorkerCommit) clear(who group.Identity, at time.Time) {
	for i := range b.Parts {
		b.Parts[i].Task, b.Parts[i].Commit, b.Parts[i].stores, b.Parts[i].topics = nil, nil, nil, nil
	}
	b.Parts, b.Offsets = b.Parts[:0], b.Offsets[:0]
	b.Who, b.At, b.Began = who, at, time.Now()
	b.open, b.written, b.Early, b.Verdict = false, nil, false, Verdict{}
}

// A State is the state that a task's commit belongs to: its stores, with their specs
// and changelogs in one order. A task without state has none.
type State struct {
	Stores *state.Stores
	Specs  []state.Spec
	Topics []string
}

// Add takes what a task has prepared into the commit. Its offsets are added beside,
// for every task, also for one that did not move: the check of the generation that
// comes with an offset is the only thing that keeps a worker from writing for tasks
// it has lost.
func (b *WorkerCommit) Add(id task.ID, t *task.Task, c *task.Commit, s State) {
	b.Parts = slices.Grow(b.Parts, 1)[:len(b.Parts)+1]
	p := &b.Parts[len(b.Parts)-1]
	p.ID, p.Task, p.Commit, p.stores, p.topics = id, t, c, s.Specs, s.Topics
	p.next, p.known = resize(p.next, len(s.Topics), -1), resize(p.known, len(s.Topics), 0)
	for i := range s.Topics {
		p.known[i] = s.Stores.ChangelogNext(s.Specs[i].Name)
	}
	p.sent = resize(p.sent, len(c.Entries), -1)
}

func resize[T any](s []T, n int, fill T) []T {
	s = slices.Grow(s[:0], n)[:n]
	for i := range s {
		s[i] = fill
	}
	return s
}

// Records counts what the commit writes beside offsets.
func (b *WorkerCommit) Records() (outputs, entries int) {
	for i := range b.Parts {
		outputs += len(b.Parts[i].Commit.Outputs)
		entries += len(b.Parts[i].Commit.Entries)
	}
	return outputs, entries
}

// Apply writes the task's committed state, dated at. Kafka is right whatever happens here:
// a state that cannot be written is read back from its changelog.
func (p *TaskCommit) Apply(at time.Time) error {
	if err := p.Task.Committed(p.next, at.UnixMilli()); err != nil {
		return fmt.Errorf("%w; the commit itself succeeded, a restart reads the state back", err)
	}
	return nil
}

// Fenced returns an error if the reason why the commit failed shows that another
// process uses its transactional id.
func (b *WorkerCommit) Fenced(reason error) error { return b.producer.fenced(reason) }

// Reopen replaces the producing clients of failed commits that are in doubt, which
// makes the broker decide what became of them. They must have landed. Failures that
// are tried again are given to complain, which may be nil.
func Reopen(ctx context.Context, failed []*WorkerCommit, complain func(error)) error {
	var errs []error
	for _, b := range failed {
		if b.Verdict.Doubt {
			errs = append(errs, b.producer.reopen(ctx, complain))
		}
	}
	return errors.Join(errs...)
}
