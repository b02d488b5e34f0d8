package worker

import (
	"context"
	"slices"

	"github.com/millrace/millrace/processor/internal/graph"
	"github.com/millrace/millrace/processor/internal/restore"
)

// A restoreLine is the leases that are restoring, in the order in which the
// restorer gets them: one at a time. It belongs to the worker's goroutine, and so
// does the state of a lease that waits; that of the current one is the restorer's.
type restoreLine struct {
	*restore.Restorer
	waiting []*lease
	current *lease
	recall  context.CancelFunc // has the restorer deliver the current one at once
}

// put puts a lease in line.
func (r *restoreLine) put(l *lease) error {
	if err := l.transition(taskRestoring); err != nil {
		return err
	}
	r.waiting = append(r.waiting, l)
	return nil
}

// putReadersFirst puts leases in line: those that read a repartition topic before
// those that write it. A version whose state is refused has written nothing there
// then, which the version that goes on would have to read.
func (r *restoreLine) putReadersFirst(g *graph.Topology, fresh []*lease) error {
	for _, sub := range g.ReadersFirst() {
		for _, l := range fresh {
			if l.Sub != sub {
				continue
			}
			if err := r.put(l); err != nil {
				return err
			}
		}
	}
	return nil
}

// dispatch gives the restorer the next lease if it has none.
func (r *restoreLine) dispatch(ctx context.Context) {
	if r.current != nil || len(r.waiting) == 0 {
		return
	}
	r.current, r.waiting = r.waiting[0], r.waiting[1:]
	ctx, r.recall = context.WithCancel(ctx)
	r.Order(ctx, &r.current.TaskState)
}

// receive makes the lease that the restorer has delivered the worker's own again.
func (r *restoreLine) receive() *lease {
	l := r.current
	r.recall()
	r.current = nil
	return l
}

// takeBack takes a lease out of the line, wherever in it it is.
func (r *restoreLine) takeBack(l *lease) {
	r.waiting = slices.DeleteFunc(r.waiting, func(x *lease) bool { return x == l })
	if r.current == l {
		r.recall()
		<-r.Deliveries
		r.receive()
	}
}

// close takes all back and ends the restorer, if it was started.
func (r *restoreLine) close() {
	if r.Restorer == nil {
		return
	}
	r.waiting = nil
	if r.current != nil {
		r.takeBack(r.current)
	}
	r.Close()
}
