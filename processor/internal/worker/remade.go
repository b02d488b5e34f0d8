package worker

import (
	"fmt"
	"slices"

	"github.com/millrace/millrace/processor/internal/task"
)

// Kafka knows topics by name, and a topic that is deleted and made anew has the
// name of the old one and nothing of its content. So the id of every topic that a
// task's progress depends on goes with that progress: those of the inputs and of
// the internal topics in the metadata of the offsets, those of the changelogs in
// the local state. A start that finds another topic under one of the names is
// refused and touches nothing: neither is good local state dropped for a topic that
// is empty, nor are offsets applied to other records. Config.AcceptRemade names the
// topics whose loss is accepted.

// accepts reports whether the loss of what was in a topic is accepted.
func (c *Config) accepts(topic string) bool { return slices.Contains(c.AcceptRemade, topic) }

// refuseRemade looks whether the topics are those that the offsets were committed
// with.
func (r *restorer) refuseRemade(l *lease, offsets map[topicPartition]committed) error {
	for _, in := range l.inputs {
		c := offsets[in.topicPartition]
		if id := fmt.Sprintf("%x", c.meta.TopicID); c.offset >= 0 && r.catalog.another(in.topic, id) {
			return fmt.Errorf("topic %q was deleted and made anew: the group committed offset %d of partition %d of the topic of id %s, which is now of id %s, so the offset means nothing in it: %w", in.topic, c.offset, in.partition, id, r.catalog.topicID(in.topic), ErrReset)
		}
		for _, topic := range slices.Concat(l.changelogs(r.cfg.ApplicationID), l.sub.Feeds) {
			note, noted := task.FindNote(c.meta.Notes, topic)
			if is := task.NoteID(r.catalog.topicID(topic)); noted && is != 0 && note.ID != 0 && note.ID != is && !r.cfg.accepts(topic) {
				return r.remade(topic)
			}
		}
	}
	return nil
}

func (r *restorer) remade(topic string) error {
	return fmt.Errorf("topic %q was deleted and made anew (it is now of id %s) since the offsets of group %q were committed: what was in it is not in Kafka any more; local state is left as it is; to give up what was in the topic, start with AcceptRemade naming it; to begin again: %w", topic, r.catalog.topicID(topic), r.cfg.ApplicationID, ErrReset)
}

// notesOf are the notes to be committed with an input: on the topics that the task
// writes, and on those that only other versions of the application know.
func (r *restorer) notesOf(l *lease, c committed) (notes []task.Note) {
	own := slices.Concat(l.changelogs(r.cfg.ApplicationID), l.sub.Feeds)
	for _, topic := range own {
		n := task.Note{Topic: task.NoteTopic(topic), ID: task.NoteID(r.catalog.topicID(topic)), Stopped: task.Following}
		was, ok := task.FindNote(c.meta.Notes, topic)
		if ok && n.ID == 0 {
			n.ID = was.ID
		}
		if ok && was.Stopped != task.Following && was.Stopped < c.offset && !r.cfg.accepts(topic) {
			n.Stopped, n.Watermark, n.Highest = was.Stopped, was.Watermark, was.Highest
		}
		notes = append(notes, n)
	}
	for _, n := range c.meta.Notes {
		if slices.ContainsFunc(notes, func(own task.Note) bool { return own.Topic == n.Topic }) {
			continue
		}
		if n.Stopped == task.Following {
			n.Stopped, n.Watermark, n.Highest = c.offset, c.meta.Watermark, c.meta.Highest
		}
		notes = append(notes, n)
	}
	return notes
}
