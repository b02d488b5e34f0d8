package worker

import (
	"slices"
	"time"

	"github.com/millrace/millrace/processor/internal/broker"
	"github.com/millrace/millrace/processor/internal/group"
	"github.com/millrace/millrace/processor/internal/task"
)

// A batch is one commit of a worker: everything that its tasks have done since
// the last one. The worker makes it and puts it into the pipe; there each stage
// has it alone for its time, and when it has landed it is the worker's again.
//
// A worker has as many batches as the pipe is deep and uses them in turn. Each
// has a producer of its own, and with it a transactional id: the transaction of
// one may still be ending while that of the next is open, which one id cannot
// do.
type batch struct {
	producer *producer
	parts    []part
	pledges  []group.OffsetCommit
	who      group.Identity
	at       time.Time // the wall clock, dates the changelog
	began    time.Time

	open    bool // a transaction may be open
	verdict verdict

	written chan struct{} // planted bug ApplyBeforeCommit: the first stage is through
	early   bool          // with success, and it is applied then
}

// A part is what one task wants committed. The pipe leaves lease and task alone,
// but for what never changes in a lease.
type part struct {
	lease  *lease
	task   *task.Task // whose commit it is; the lease may have got another since
	commit *task.Commit
	topics []string // changelogs, by store
	sent   []int    // the number of each of the commit's entries in the producer
	next   []int64  // changelog offsets behind them, by store
	known  []int64  // changelog offsets that the stores have followed to
}

// clear empties the batch for the next commit and keeps its memory.
func (b *batch) clear(who group.Identity, at time.Time) {
	for i := range b.parts {
		b.parts[i].lease, b.parts[i].task, b.parts[i].commit = nil, nil, nil
	}
	b.parts, b.pledges = b.parts[:0], b.pledges[:0]
	b.who, b.at, b.began = who, at, time.Now()
	b.open, b.written, b.early, b.verdict = false, nil, false, verdict{}
}

func (b *batch) add(l *lease, c *task.Commit, topics []string) {
	b.parts = slices.Grow(b.parts, 1)[:len(b.parts)+1]
	p := &b.parts[len(b.parts)-1]
	p.lease, p.task, p.commit, p.topics = l, l.task, c, topics
	p.next, p.known = resize(p.next, len(topics), -1), resize(p.known, len(topics), 0)
	for i := range topics {
		p.known[i] = l.stores.ChangelogNext(l.sub.Stores[i].Name)
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

// current says that the lease has not been given another task since.
func (p *part) current() bool { return p.lease.task == p.task }

// records says whether the batch writes anything beside offsets.
func (b *batch) records() (outputs, entries int) {
	for i := range b.parts {
		outputs += len(b.parts[i].commit.Outputs)
		entries += len(b.parts[i].commit.Entries)
	}
	return outputs, entries
}

// pledge adds the offsets of every task in the batch, also of those that did
// not move: the check of the generation that comes with an offset is the only
// thing that keeps a worker from writing for tasks it has lost.
func (b *batch) pledge(f *Faults) {
	for i := range b.parts {
		p := &b.parts[i]
		for n, o := range p.commit.Offsets {
			offset, in := o.Offset, &p.lease.inputs[n]
			if f.CommitPolled {
				offset = max(offset, in.polled)
			}
			if f.TimerWithoutOffsets && offset == in.offset {
				continue
			}
			b.pledges = append(b.pledges, group.OffsetCommit{TopicPartition: broker.TopicPartition{Topic: o.Topic, Partition: o.Partition}, Offset: offset, Metadata: p.commit.Metadata[n]})
		}
	}
}
