package worker

import (
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
	w.note.keep(e.Who.Member)
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
		if w.leases.has(id) {
			continue
		}
		l := newLease(id, w.cfg.Graph.Subtopologies()[id.Subtopology], e.Who)
		l.moved = w.cfg.Events.TaskMoved
		fresh = append(fresh, l)
		w.leases.add(l)
		w.cfg.Events.taskAssigned(id)
	}
	if err := w.restores.putReadersFirst(w.cfg.Graph, fresh); err != nil {
		return err
	}
	w.cfg.Events.seated(e.Coming)
	return nil
}

// giveUp commits everything and closes the tasks that are revoked. Only when it
// has returned does the group hear that they are free.
func (w *Worker) giveUp(ctx context.Context, parts map[string][]int32) error {
	ours := func(l *lease) bool { return group.Overlap(parts, l.Sub.Sources, l.ID.Partition) }
	if slices.ContainsFunc(w.leases.all, ours) {
		if err := w.commitAll(ctx); err != nil {
			return err
		}
	}
	return w.leases.each(ours, func(l *lease) error { return w.end(l, true) })
}

// lose closes tasks that others may have by now: what is not committed is
// nobody's any more.
func (w *Worker) lose(gone func(*lease) bool) error {
	return w.leases.each(gone, func(l *lease) error {
		if l.state.processes() {
			if err := l.drop(false); err != nil {
				return err
			}
		}
		return w.end(l, false)
	})
}

// end closes a task and forgets it.
func (w *Worker) end(l *lease, flush bool) error {
	w.leases.remove(l)
	if l.state == taskRestoring {
		w.restores.takeBack(l)
	}
	if err := l.transition(taskClosing); err != nil {
		return err
	}
	l.task = nil
	w.routes.leave(l, w.fetcher)
	w.cfg.Events.taskRevoked(l.ID)
	if err := l.Close(flush); err != nil {
		w.cfg.Events.warning(err) // Kafka has everything, the next owner reads it
	}
	return nil
}

// begin lets a lease's task process from the lease's positions on.
func (w *Worker) begin(l *lease) error {
	cfg := l.taskConfig(&w.cfg, w.catalog)
	l.SetAside()
	l.setLimits(w.catalog, w.cfg.ApplicationID)
	t, err := task.New(cfg)
	if err != nil {
		return err
	}
	if err := l.run(t); err != nil {
		return err
	}
	w.routes.follow(l, w.fetcher)
	w.busy = true // a bounded task may have nothing to read and still much to do
	return nil
}

// takeDeliveries starts the tasks that the restorer has brought back.
func (w *Worker) takeDeliveries() error {
	passNotes(w.restores.Notes, w.cfg.Events.warning)
	passNotes(w.member.Notes, w.cfg.Events.warning)
	select {
	case d := <-w.restores.Deliveries:
		l := w.restores.receive()
		if d.Err != nil {
			return d.Err
		}
		l.careful = max(l.careful, w.leases.careful()) // what failed in the others while it was not there is likely to come to it
		if err := w.begin(l); err != nil {
			return err
		}
		w.cfg.Events.taskRestored(l.ID, d.Restored)
	default:
	}
	return nil
}

// passNotes passes on what a room below had to say.
func passNotes(notes <-chan error, warn func(error)) {
	for {
		select {
		case note := <-notes:
			warn(note)
		default:
			return
		}
	}
}
