package restore

import (
	"fmt"
	"slices"

	"github.com/millrace/millrace/processor/internal/broker"
	"github.com/millrace/millrace/processor/internal/group"
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

// refuseRemade looks whether the topics are those that the offsets were committed
// with.
func (r *Restorer) refuseRemade(t *TaskState, offsets map[broker.TopicPartition]group.Committed) error {
	for _, in := range t.Inputs {
		c := offsets[in.TopicPartition]
		if id := fmt.Sprintf("%x", c.Meta.TopicID); c.Offset >= 0 && r.cfg.Topics.Another(in.Topic, id) {
			return fmt.Errorf("topic %q was deleted and made anew: the group committed offset %d of partition %d of the topic of id %s, which is now of id %s, so the offset means nothing in it; %s%w", in.Topic, c.Offset, in.Partition, id, r.cfg.Topics.TopicID(in.Topic), giveUp(t, in.Topic), broker.ErrReset)
		}
		for _, topic := range slices.Concat(t.Changelogs(r.cfg.ApplicationID), t.Sub.Feeds) {
			note, noted := task.FindNote(c.Meta.Notes, topic)
			if is := task.NoteID(r.cfg.Topics.TopicID(topic)); noted && is != 0 && note.ID != 0 && note.ID != is && !r.cfg.accepts(topic) {
				return r.remade(topic)
			}
		}
	}
	return nil
}

// giveUp is what can be done about an input that was made anew, before starting over:
// only of internal topics the loss can be accepted.
func giveUp(t *TaskState, input string) string {
	if t.Sub.Format(input) == nil {
		return ""
	}
	return "local state is left as it is; to give up what was in the topic, start with AcceptRemade naming it; to begin again: "
}

// forget leaves out the offsets of topics that were made anew and whose loss is
// accepted: they mean nothing in the new ones. Usually the broker has deleted them
// together with the topic.
func (r *Restorer) forget(offsets map[broker.TopicPartition]group.Committed) {
	for tp, c := range offsets {
		if r.cfg.accepts(tp.Topic) && r.cfg.Topics.Another(tp.Topic, fmt.Sprintf("%x", c.Meta.TopicID)) {
			offsets[tp] = group.NoCommit()
		}
	}
}

func (r *Restorer) remade(topic string) error {
	return fmt.Errorf("topic %q was deleted and made anew (it is now of id %s) since the offsets of group %q were committed: what was in it is not in Kafka any more; local state is left as it is; to give up what was in the topic, start with AcceptRemade naming it; to begin again: %w", topic, r.cfg.Topics.TopicID(topic), r.cfg.ApplicationID, broker.ErrReset)
}

// notesOf are the notes to be committed with an input: on the topics that the task
// writes, and on those that only other versions of the application know.
func (r *Restorer) notesOf(t *TaskState, c group.Committed) (notes []task.Note) {
	own := slices.Concat(t.Changelogs(r.cfg.ApplicationID), t.Sub.Feeds)
	for _, topic := range own {
		n := task.Note{Topic: task.NoteTopic(topic), ID: task.NoteID(r.cfg.Topics.TopicID(topic)), Stopped: task.Following}
		was, ok := task.FindNote(c.Meta.Notes, topic)
		if ok && n.ID == 0 {
			n.ID = was.ID
		}
		if ok && was.Stopped != task.Following && was.Stopped < c.Offset && !r.cfg.accepts(topic) {
			n.Stopped, n.Watermark, n.Highest = was.Stopped, was.Watermark, was.Highest
		}
		notes = append(notes, n)
	}
	for _, n := range c.Meta.Notes {
		if slices.ContainsFunc(notes, func(own task.Note) bool { return own.Topic == n.Topic }) {
			continue
		}
		if n.Stopped == task.Following {
			n.Stopped, n.Watermark, n.Highest = c.Offset, c.Meta.Watermark, c.Meta.Highest
		}
		notes = append(notes, n)
	}
	return notes
}
