package worker

import (
	"context"
	"fmt"
	"slices"

	"github.com/millrace/millrace/processor/internal/graph"
	"github.com/millrace/millrace/processor/internal/task"
	"github.com/millrace/millrace/state"
)

// An away is what of a task was not there while other versions of the application
// went on: stores, and repartition topics that were not written. It is brought up
// before the task goes on, by a task of its own that runs what concerns them from
// where they stopped (task.CatchUp). Of several that stopped at different places
// one group is brought up after the other, each with a pass of the restorer.
type away struct {
	sub    *graph.Subtopology // what concerns them
	stores []string
	topics []string      // their changelogs, and the repartition topics
	held   []state.Input // where the task itself stands
	before []graph.NodeID
}

// bringUp finds what was away and sets the lease to where it stopped.
func (r *restorer) bringUp(ctx context.Context, l *lease, f *fitting) error {
	l.away = nil
	var from []int64
	var stores, feeds, topics []string
	same := func(at []int64) bool {
		if from == nil {
			from = at
		}
		return slices.Equal(from, at)
	}
	for i, topic := range l.changelogs(r.cfg.ApplicationID) {
		if p, ok := f.away[l.sub.Stores[i].Name]; ok && same(l.offsetsIn(p)) {
			stores, topics = append(stores, l.sub.Stores[i].Name), append(topics, topic)
		}
	}
	for _, topic := range l.sub.Feeds {
		if at, ok := l.stopped(topic); ok && same(at) {
			feeds, topics = append(feeds, topic), append(topics, topic)
		}
	}
	if from == nil {
		return nil
	}
	sub, before, err := l.sub.Around(stores, feeds, f.fresh)
	if err != nil {
		return fmt.Errorf("task %s: %q were away while other versions of the application ran, and cannot be brought up: %w: %w", l.id, topics, err, ErrReset)
	}
	for i, topic := range l.changelogs(r.cfg.ApplicationID) {
		if name := l.sub.Stores[i].Name; slices.Contains(f.fresh, name) && sub.Owns(name) {
			stores, topics = append(stores, name), append(topics, topic)
		}
	}
	if err := r.stillThere(ctx, l, from, topics); err != nil {
		return err
	}
	if i := slices.IndexFunc(l.inputs, func(in source) bool { return in.failed.More }); i >= 0 {
		return fmt.Errorf("task %s: %q were away while other versions of the application ran, and more records of topic %q partition %d failed meanwhile than can be remembered: they would be counted now; give their operators other names, under which they begin empty, or: %w", l.id, topics, l.inputs[i].topic, l.inputs[i].partition, ErrReset)
	}
	l.away = &away{sub: sub, stores: stores, topics: topics, held: l.standing(r.catalog), before: before}
	for i := range l.inputs {
		l.inputs[i].stand(l.stoppedAt(i, from[i], f))
	}
	r.note(fmt.Errorf("%q were away while another version of the application ran: what came meanwhile, from offsets %d of %q on, is processed for them now", topics, from, l.sub.Sources))
	return nil
}

// offsetsIn are the offsets at which a store stopped; where it has never read an
// input, the task's own.
func (l *lease) offsetsIn(p state.Position) (at []int64) {
	for i := range l.inputs {
		offset := l.inputs[i].offset
		if in, ok := inputOf(p, l.inputs[i].topicPartition); ok {
			offset = min(offset, in.Offset)
		}
		at = append(at, offset)
	}
	return at
}

// stopped are the offsets at which a repartition topic was left; false if it was
// not.
func (l *lease) stopped(topic string) (at []int64, ok bool) {
	for i := range l.inputs {
		in := &l.inputs[i]
		note, noted := task.FindNote(in.notes, topic)
		offset := in.offset
		if noted && note.Stopped != task.Following && note.Stopped < offset {
			offset, ok = note.Stopped, true
		}
		at = append(at, offset)
	}
	return at, ok
}

// standing is where the task itself stands, as its commits have it.
func (l *lease) standing(c *catalog) (all []state.Input) {
	for _, in := range l.inputs {
		all = append(all, state.Input{
			Topic: in.topic, TopicID: c.topicID(in.topic), Partition: in.partition,
			Offset: in.offset, Watermark: in.watermark, Highest: in.highest, Upstream: in.upstream,
		})
	}
	return all
}

// stoppedAt is where an input is gone on from for what was away, with the time that
// a store, or else the note on a repartition topic, knows of it.
func (l *lease) stoppedAt(i int, offset int64, f *fitting) state.Input {
	for _, p := range f.away {
		if in, ok := inputOf(p, l.inputs[i].topicPartition); ok && in.Offset == offset {
			return in
		}
	}
	in := state.Input{Offset: offset, Watermark: noCommit.meta.Watermark, Highest: noCommit.meta.Watermark}
	for _, topic := range l.sub.Feeds {
		if note, ok := task.FindNote(l.inputs[i].notes, topic); ok && note.Stopped == offset {
			in.Watermark, in.Highest = note.Watermark, note.Highest
		}
	}
	if offset == l.inputs[i].offset {
		in.Watermark, in.Highest, in.Upstream = l.inputs[i].watermark, l.inputs[i].highest, l.inputs[i].upstream
	}
	return in
}

// stillThere refuses to bring up what the log does not have any more.
func (r *restorer) stillThere(ctx context.Context, l *lease, from []int64, topics []string) error {
	starts, err := logStart.offsets(ctx, r.client, l.partitions())
	if err != nil {
		return err
	}
	for i, tp := range l.partitions() {
		if start := starts[tp]; from[i] < l.inputs[i].offset && start > from[i] {
			return fmt.Errorf("task %s: %q were away while other versions of the application ran, from offset %d of topic %q partition %d on, which begins at offset %d now: what they have missed is gone; give their operators other names, under which they begin empty, or: %w", l.id, topics, from[i], tp.topic, tp.partition, start, ErrReset)
		}
	}
	return nil
}

// catchUp is what the task is told of it; nil if nothing was away.
func (l *lease) catchUp() *task.CatchUp {
	if l.away == nil {
		return nil
	}
	u := &task.CatchUp{Held: l.away.held, Before: l.away.before}
	for _, topic := range l.away.topics {
		u.Topics = append(u.Topics, task.NoteTopic(topic))
	}
	return u
}

// setAside leaves those stores out of the commits that are not brought up.
func (l *lease) setAside() {
	if l.stores == nil {
		return
	}
	for _, s := range l.sub.Stores {
		l.stores.SetAside(s.Name, l.away != nil && !slices.Contains(l.away.stores, s.Name))
	}
}

// subtopology is the part of the sub-topology that the lease runs now.
func (l *lease) subtopology() *graph.Subtopology {
	if l.away != nil {
		return l.away.sub
	}
	return l.sub
}

// broughtUp lets a task go on whose stores are all there now, or brings up the next
// of them.
func (w *Worker) broughtUp(l *lease) {
	w.stopReading(l)
	l.drop(false)
	w.restore(l)
}
