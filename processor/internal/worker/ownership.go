package worker

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/millrace/millrace/processor/internal/assign"
	"github.com/millrace/millrace/processor/internal/group"
	"github.com/millrace/millrace/processor/internal/planted"
	"github.com/millrace/millrace/processor/internal/task"
)

// hearGroup deals with what the group has said since the last turn.
func (w *Worker) hearGroup(ctx context.Context) error {
	for {
		select {
		case e := <-w.member.Events:
			err := w.land(ctx)   // a commit is finished before a rebalance goes on
			w.held = time.Time{} // also if that one was refused: this is the word it would wait for
			if err == nil {
				err = w.hear(ctx, e)
			}
			if e.Done != nil {
				close(e.Done)
			}
			if err != nil {
				return err
			}
		default:
			return nil
		}
	}
}

func (w *Worker) hear(ctx context.Context, e group.Event) error {
	switch e.Kind {
	case group.Assigned:
		return w.assign(e)
	case group.Revoked:
		return w.giveUp(ctx, e.Partitions)
	case group.Lost:
		w.cfg.Events.unseated()
		return w.lose(func(l *lease) bool { return group.Overlap(e.Partitions, l.Sub.Sources, l.ID.Partition) })
	}
	return fmt.Errorf("join the consumer group %q: %w", w.cfg.ApplicationID, e.Err)
}

// assign makes the leases what the group says is ours (G3). A task that is open
// under another name was lost in between, whatever the callbacks said.
func (w *Worker) assign(e group.Event) error {
	w.noteMember(e.Who.Member)
	parts := e.Partitions
	if planted.On && w.cfg.Faults.NoG3 {
		parts = e.Added
	} else {
		ours := w.catalog.Layout.Covered(parts)
		gone := func(l *lease) bool {
			return !e.Who.Owns(l.Owner) || !slices.Contains(ours, assign.Task{Subtopology: l.ID.Subtopology, Partition: l.ID.Partition})
		}
		if err := w.lose(gone); err != nil {
			return err
		}
	}
	var fresh []*lease
	for _, t := range w.catalog.Layout.Covered(parts) {
		id := task.ID{Subtopology: t.Subtopology, Partition: t.Partition}
		if slices.ContainsFunc(w.leases, func(l *lease) bool { return l.ID == id }) {
			continue
		}
		l := newLease(id, w.cfg.Graph.Subtopologies()[id.Subtopology], e.Who)
		w.leases, fresh = append(w.leases, l), append(fresh, l)
		w.cfg.Events.taskAssigned(id)
	}
	w.restoreReadersFirst(fresh)
	slices.SortFunc(w.leases, func(a, b *lease) int { return compareIDs(a.ID, b.ID) })
	w.cfg.Events.seated(e.Coming)
	return nil
}

// compareIDs is the order of the worker's leases.
func compareIDs(a, b task.ID) int {
	return cmp.Or(cmp.Compare(a.Subtopology, b.Subtopology), cmp.Compare(a.Partition, b.Partition))
}

// giveUp commits everything and closes the tasks that are revoked. Only when it
// has returned does the group hear that they are free.
func (w *Worker) giveUp(ctx context.Context, parts map[string][]int32) error {
	ours := func(l *lease) bool { return group.Overlap(parts, l.Sub.Sources, l.ID.Partition) }
	if slices.ContainsFunc(w.leases, ours) {
		if err := w.commitAll(ctx); err != nil {
			return err
		}
	}
	return w.each(ours, func(l *lease) error { return w.end(l, true) })
}

// lose closes tasks that others may have by now: what is not committed is
// nobody's any more.
func (w *Worker) lose(gone func(*lease) bool) error {
	return w.each(gone, func(l *lease) error {
		if w.away != l {
			l.drop(false)
		}
		return w.end(l, false)
	})
}

func (w *Worker) each(which func(*lease) bool, do func(*lease) error) error {
	for _, l := range slices.Clone(w.leases) {
		if which(l) {
			if err := do(l); err != nil {
				return err
			}
		}
	}
	return nil
}

// end closes a task and forgets it.
func (w *Worker) end(l *lease, flush bool) error {
	w.takeBack(l)
	w.stopReading(l)
	w.leases = slices.DeleteFunc(w.leases, func(x *lease) bool { return x == l })
	w.cfg.Events.taskRevoked(l.ID)
	if err := l.Close(flush); err != nil {
		w.cfg.Events.warning(err) // Kafka has everything, the next owner reads it
	}
	return nil
}

// begin lets a lease's task process from the lease's positions on.
func (w *Worker) begin(l *lease) error {
	if err := w.newTask(l); err != nil {
		return err
	}
	for i := range l.Inputs {
		in := &l.Inputs[i]
		l.queues[i].rewind(in.Offset)
		if in.Finished {
			continue
		}
		w.routes[in.TopicPartition] = route{l, i}
		w.fetcher.Seek(in.TopicPartition, in.Offset)
	}
	w.busy = true // a bounded task may have nothing to read and still much to do
	return nil
}

func (w *Worker) stopReading(l *lease) {
	for _, in := range l.Inputs {
		if _, ok := w.routes[in.TopicPartition]; ok {
			delete(w.routes, in.TopicPartition)
			w.fetcher.Remove(in.TopicPartition)
		}
	}
}

// restoreReadersFirst puts leases in line: those that read a repartition topic before
// those that write it. A version whose state is refused has written nothing there
// then, which the version that goes on would have to read.
func (w *Worker) restoreReadersFirst(fresh []*lease) {
	for _, sub := range w.cfg.Graph.ReadersFirst() {
		for _, l := range fresh {
			if l.Sub == sub {
				w.restore(l)
			}
		}
	}
}

// restore puts a lease in line for the restorer.
func (w *Worker) restore(l *lease) { w.queue = append(w.queue, l) }

// dispatch gives the restorer the next lease if it has none.
func (w *Worker) dispatch(ctx context.Context) {
	if w.away != nil || len(w.queue) == 0 {
		return
	}
	w.away, w.queue = w.queue[0], w.queue[1:]
	ctx, w.recall = context.WithCancel(ctx)
	w.restorer.Order(ctx, &w.away.TaskState)
}

// takeDeliveries starts the tasks that the restorer has brought back.
func (w *Worker) takeDeliveries() error {
	w.passNotes()
	select {
	case d := <-w.restorer.Deliveries:
		l := w.receive()
		if d.Err != nil {
			return d.Err
		}
		l.careful = max(l.careful, w.careful()) // what failed in the others while it was not there is likely to come to it
		if err := w.begin(l); err != nil {
			return err
		}
		w.cfg.Events.taskRestored(l.ID, d.Restored)
	default:
	}
	return nil
}

// receive makes the lease that the restorer has delivered the worker's own again.
func (w *Worker) receive() *lease {
	l := w.away
	w.recall()
	w.away = nil
	return l
}

func (w *Worker) passNotes() {
	for {
		select {
		case note := <-w.restorer.Notes:
			w.cfg.Events.warning(note)
		case note := <-w.member.Notes:
			w.cfg.Events.warning(note)
		default:
			return
		}
	}
}

// takeBack makes a lease the worker's own again, wherever it is.
func (w *Worker) takeBack(l *lease) {
	w.queue = slices.DeleteFunc(w.queue, func(x *lease) bool { return x == l })
	if w.away == l {
		w.recall()
		<-w.restorer.Deliveries
		w.receive()
	}
}

func (w *Worker) takeAllBack() {
	w.queue = nil
	if w.away != nil {
		w.takeBack(w.away)
	}
}
