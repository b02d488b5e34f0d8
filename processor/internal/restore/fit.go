package restore

import (
	"errors"
	"fmt"
	"strings"

	"github.com/millrace/millrace/processor/internal/broker"
	"github.com/millrace/millrace/processor/internal/group"
	"github.com/millrace/millrace/processor/internal/task"
	"github.com/millrace/millrace/state"
)

// A fitting compares the state of one task with the offsets that the group has
// committed for it, store by store. It finds for each store that it
//
//   - is where the offsets are, or with at-least-once beyond them;
//   - is new: nothing is known of it, and it begins empty where the task stands;
//   - was away: the versions that committed went on without it, and it is where it
//     was left. What it has missed is brought up, see away;
//   - does not fit: then the local state is of no use, or Kafka has lost something.
//
// It also sees to it that the bytes of a store mean what they meant when they were
// written.
type fitting struct {
	cfg     *Config
	task    *TaskState
	offsets map[broker.TopicPartition]group.Committed
	away    map[string]state.Position // by store
	fresh   []string                  // stores that are new
}

// fit compares all stores.
func (f *fitting) fit() error {
	f.away, f.fresh = map[string]state.Position{}, nil
	if f.task.Stores == nil {
		return nil
	}
	var changed []string
	for i, topic := range f.task.Changelogs(f.cfg.ApplicationID) {
		name := f.task.Sub.Stores[i].Name
		if err := f.store(name, topic); err != nil {
			return err
		}
		for _, d := range f.task.Stores.Differences(name) {
			changed = append(changed, fmt.Sprintf("store %q: %v", name, d))
		}
	}
	if len(changed) > 0 {
		return changedMeaning("task "+f.task.ID.String(), errors.New(strings.Join(changed, "; ")))
	}
	return nil
}

// store compares one store.
func (f *fitting) store(name, changelog string) error {
	p, ok := f.task.Stores.Position(name)
	if !ok {
		return f.without(name, changelog)
	}
	for i := range f.task.Inputs {
		tp := f.task.Inputs[i].TopicPartition
		at, read := inputOf(p, tp)
		c := f.offsets[tp]
		switch note, noted := task.FindNote(c.Meta.Notes, changelog); {
		case read && f.cfg.Topics.Another(tp.Topic, at.TopicID):
			if err := f.ofAnother(name, tp, at, c); err != nil {
				return err
			}
		case !read || at.Offset == c.Offset:
		case f.cfg.AtLeastOnce && at.Offset > c.Offset:
		case noted && note.Stopped != task.Following && at.Offset >= note.Stopped && at.Offset < c.Offset:
			f.away[name] = p
		default:
			return fmt.Errorf("store %q: topic %q partition %d: the state is at offset %d, the group committed offset %d: %w", name, tp.Topic, tp.Partition, at.Offset, c.Offset, errUnusable)
		}
	}
	return nil
}

// ofAnother answers a store that has read a topic of the same name that is no more. If
// the loss of that is accepted, the store goes on at the beginning of the new topic, but
// only where nobody has read that yet: a store that was away then lacks what they read.
func (f *fitting) ofAnother(name string, tp broker.TopicPartition, at state.Input, c group.Committed) error {
	is := f.cfg.Topics.TopicID(tp.Topic)
	switch accepted := f.cfg.accepts(tp.Topic); {
	case accepted && c.Offset < 0:
		return nil
	case accepted:
		return fmt.Errorf("store %q: topic %q was deleted and made anew while the store was away, and versions without it have read partition %d of the new one up to offset %d, which it has missed: give its operator another name, under which it begins empty, or: %w", name, tp.Topic, tp.Partition, c.Offset, broker.ErrReset)
	}
	return fmt.Errorf("store %q: topic %q was deleted and made anew: the state is of the topic of id %s, which is now of id %s; %s%w", name, tp.Topic, at.TopicID, is, giveUp(f.task, tp.Topic), broker.ErrReset)
}

// without answers a store that has no position: it is new, unless the offsets were
// committed with it, or by a version that did not say which stores it had.
func (f *fitting) without(name, changelog string) error {
	for i := range f.task.Inputs {
		tp := f.task.Inputs[i].TopicPartition
		c := f.offsets[tp]
		_, noted := task.FindNote(c.Meta.Notes, changelog)
		switch {
		case c.Offset < 0, f.cfg.accepts(changelog), c.OnlyFixed():
		case noted, !c.Meta.Noted:
			return fmt.Errorf("store %q: the group committed offset %d of topic %q partition %d, and neither the local state nor the changelog %q says how far the store had followed: %w", name, c.Offset, tp.Topic, tp.Partition, changelog, errUnusable)
		}
	}
	f.fresh = append(f.fresh, name)
	empty, err := f.task.Stores.Empty(name)
	if err == nil && !empty && !f.cfg.AtLeastOnce { // else a crash came between changes and position
		err = fmt.Errorf("store %q: the changelog %q has records and does not say how far the store had followed: %w", name, changelog, errUnusable)
	}
	return err
}
