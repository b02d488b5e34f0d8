package restore

import (
	"context"
	"fmt"
	"slices"

	"github.com/millrace/millrace/processor/internal/broker"
	"github.com/millrace/millrace/processor/internal/graph"
	"github.com/millrace/millrace/processor/internal/group"
	"github.com/millrace/millrace/processor/internal/task"
	"github.com/millrace/millrace/processor/internal/topics"
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

// bringUp finds what was away and sets the task to where it stopped.
func (r *Restorer) bringUp(ctx context.Context, t *TaskState, f *fitting) error {
	t.away = nil
	var from []int64
	var stores, feeds, topics []string
	same := func(at []int64) bool {
		if from == nil {
			from = at
		}
		return slices.Equal(from, at)
	}
	for i, topic := range t.Changelogs(r.cfg.ApplicationID) {
		if p, ok := f.away[t.Sub.Stores[i].Name]; ok && same(t.offsetsIn(p)) {
			stores, topics = append(stores, t.Sub.Stores[i].Name), append(topics, topic)
		}
	}
	for _, topic := range t.Sub.Feeds {
		if at, ok := t.stopped(topic); ok && same(at) {
			feeds, topics = append(feeds, topic), append(topics, topic)
		}
	}
	if from == nil {
		return nil
	}
	sub, before, err := t.Sub.Around(stores, feeds, f.fresh)
	if err != nil {
		return fmt.Errorf("task %s: %q were away while other versions of the application ran, and cannot be brought up: %w: %w", t.ID, topics, err, broker.ErrReset)
	}
	for i, topic := range t.Changelogs(r.cfg.ApplicationID) {
		if name := t.Sub.Stores[i].Name; slices.Contains(f.fresh, name) && sub.Owns(name) {
			stores, topics = append(stores, name), append(topics, topic)
		}
	}
	if err := r.stillThere(ctx, t, from, topics); err != nil {
		return err
	}
	if i := slices.IndexFunc(t.Inputs, func(in Input) bool { return in.Failed.More }); i >= 0 {
		return fmt.Errorf("task %s: %q were away while other versions of the application ran, and more records of topic %q partition %d failed meanwhile than can be remembered: they would be counted now; give their operators other names, under which they begin empty, or: %w", t.ID, topics, t.Inputs[i].Topic, t.Inputs[i].Partition, broker.ErrReset)
	}
	t.away = &away{sub: sub, stores: stores, topics: topics, held: t.standing(r.cfg.Topics), before: before}
	for i := range t.Inputs {
		t.Inputs[i].Stand(t.stoppedAt(i, from[i], f))
	}
	t.passOver(slices.DeleteFunc(slices.Clone(f.fresh), sub.Owns), r.cfg.ApplicationID)
	r.note(fmt.Errorf("%q were away while another version of the application ran: what came meanwhile, from offsets %d of %q on, is processed for them now", topics, from, t.Sub.Sources))
	return nil
}

// passOver leaves new stores out of the notes, which are not part of what is brought up:
// no position of theirs is written before the task goes on itself, and a note would say
// that there is one.
func (t *TaskState) passOver(stores []string, applicationID string) {
	for i, topic := range t.Changelogs(applicationID) {
		if !slices.Contains(stores, t.Sub.Stores[i].Name) {
			continue
		}
		for j := range t.Inputs {
			in := &t.Inputs[j]
			in.Notes = slices.DeleteFunc(in.Notes, func(n task.Note) bool { return n.Topic == task.NoteTopic(topic) })
		}
	}
}

// offsetsIn are the offsets at which a store stopped; where it has never read an
// input, the task's own.
func (t *TaskState) offsetsIn(p state.Position) (at []int64) {
	for i := range t.Inputs {
		offset := t.Inputs[i].Offset
		if in, ok := inputOf(p, t.Inputs[i].TopicPartition); ok {
			offset = min(offset, in.Offset)
		}
		at = append(at, offset)
	}
	return at
}

// stopped are the offsets at which a repartition topic was left; false if it was
// not.
func (t *TaskState) stopped(topic string) (at []int64, ok bool) {
	for i := range t.Inputs {
		in := &t.Inputs[i]
		note, noted := task.FindNote(in.Notes, topic)
		offset := in.Offset
		if noted && note.Stopped != task.Following && note.Stopped < offset {
			offset, ok = note.Stopped, true
		}
		at = append(at, offset)
	}
	return at, ok
}

// standing is where the task itself stands, as its commits have it.
func (t *TaskState) standing(c *topics.Catalog) (all []state.Input) {
	for _, in := range t.Inputs {
		all = append(all, state.Input{
			Topic: in.Topic, TopicID: c.TopicID(in.Topic), Partition: in.Partition,
			Offset: in.Offset, Watermark: in.Watermark, Highest: in.Highest, Upstream: in.Upstream,
		})
	}
	return all
}

// stoppedAt is where an input is gone on from for what was away, with the time that
// a store, or else the note on a repartition topic, knows of it.
func (t *TaskState) stoppedAt(i int, offset int64, f *fitting) state.Input {
	for _, p := range f.away {
		if in, ok := inputOf(p, t.Inputs[i].TopicPartition); ok && in.Offset == offset {
			return in
		}
	}
	in := state.Input{Offset: offset, Watermark: group.NoCommit().Meta.Watermark, Highest: group.NoCommit().Meta.Watermark}
	for _, topic := range t.Sub.Feeds {
		if note, ok := task.FindNote(t.Inputs[i].Notes, topic); ok && note.Stopped == offset {
			in.Watermark, in.Highest = note.Watermark, note.Highest
		}
	}
	if offset == t.Inputs[i].Offset {
		in.Watermark, in.Highest, in.Upstream = t.Inputs[i].Watermark, t.Inputs[i].Highest, t.Inputs[i].Upstream
	}
	return in
}

// stillThere refuses to bring up what the log does not have any more.
func (r *Restorer) stillThere(ctx context.Context, t *TaskState, from []int64, topics []string) error {
	starts, err := broker.LogStart.Ask(ctx, r.cfg.Requests, t.partitions())
	if err != nil {
		return err
	}
	for i, tp := range t.partitions() {
		if to := t.Inputs[i].Offset; from[i] < to {
			what, err := r.missing(ctx, tp, starts[tp], from[i], to)
			if err != nil {
				return err
			}
			if what != "" {
				return fmt.Errorf("task %s: %q were away while other versions of the application ran, from offset %d of topic %q partition %d on, %s: what they have missed is gone; give their operators other names, under which they begin empty, or: %w", t.ID, topics, from[i], tp.Topic, tp.Partition, what, broker.ErrReset)
			}
		}
	}
	return nil
}

// missing says what a partition that begins at start lacks of a range; "" if nothing.
func (r *Restorer) missing(ctx context.Context, tp broker.TopicPartition, start, from, to int64) (what string, err error) {
	if start > from {
		return fmt.Sprintf("which begins at offset %d now", start), nil
	}
	if r.repartition(tp.Topic) { // made by the application, never compacted
		return "", nil
	}
	first, last, gone, err := r.thinned(ctx, tp, from, to)
	if gone {
		what = fmt.Sprintf("which is compacted (cleanup.policy) and has lost records between offsets %d and %d", first, last)
	}
	return what, err
}

// CatchUp is what the task is told of it; nil if nothing was away.
func (t *TaskState) CatchUp() *task.CatchUp {
	if t.away == nil {
		return nil
	}
	u := &task.CatchUp{Held: t.away.held, Before: t.away.before}
	for _, topic := range t.away.topics {
		u.Topics = append(u.Topics, task.NoteTopic(topic))
	}
	return u
}

// SetAside leaves those stores out of the commits that are not brought up.
func (t *TaskState) SetAside() {
	if t.Stores == nil {
		return
	}
	for _, s := range t.Sub.Stores {
		t.Stores.SetAside(s.Name, t.away != nil && !slices.Contains(t.away.stores, s.Name))
	}
}

// Subtopology is the part of the sub-topology that the task runs now.
func (t *TaskState) Subtopology() *graph.Subtopology {
	if t.away != nil {
		return t.away.sub
	}
	return t.Sub
}

// BringsUp reports whether something that was away is to be brought up before the
// task goes on: its inputs stand where that stopped, not at the committed offsets.
func (t *TaskState) BringsUp() bool { return t.away != nil }
