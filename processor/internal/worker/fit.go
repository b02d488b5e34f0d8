package worker

import (
	"errors"
	"fmt"
	"strings"

	"github.com/millrace/millrace/processor/internal/broker"
	"github.com/millrace/millrace/processor/internal/group"
	"github.com/millrace/millrace/processor/internal/task"
	"github.com/millrace/millrace/processor/internal/topics"
	"github.com/millrace/millrace/state"
)

// A fitting compares the state of one task with the offsets that the group has
// committed for it, store by store (invariant I2). It finds for each store that it
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
	catalog *topics.Catalog
	lease   *lease
	offsets map[broker.TopicPartition]group.Committed
	away    map[string]state.Position // by store
	fresh   []string                  // stores that are new
}

// fit compares all stores.
func (f *fitting) fit() error {
	f.away, f.fresh = map[string]state.Position{}, nil
	if f.lease.stores == nil {
		return nil
	}
	var changed []string
	for i, topic := range f.lease.changelogs(f.cfg.ApplicationID) {
		name := f.lease.sub.Stores[i].Name
		if err := f.store(name, topic); err != nil {
			return err
		}
		for _, d := range f.lease.stores.Differences(name) {
			changed = append(changed, fmt.Sprintf("store %q: %v", name, d))
		}
	}
	if len(changed) > 0 {
		return changedMeaning(f.lease, errors.New(strings.Join(changed, "; ")))
	}
	return nil
}

// changedMeaning refuses state that was written with another meaning. Nothing was
// changed: the version that wrote it can go on.
func changedMeaning(l *lease, err error) error {
	return fmt.Errorf("task %s: the state is kept as another version of the application wrote it, and this one would read it as something else: %w; go back to that version, or give the operator another name, under which it begins empty (what is kept under this one and was not sent is not sent then), or: %w", l.id, err, broker.ErrReset)
}

// store compares one store.
func (f *fitting) store(name, changelog string) error {
	p, ok := f.lease.stores.Position(name)
	if !ok {
		return f.without(name, changelog)
	}
	for i := range f.lease.inputs {
		tp := f.lease.inputs[i].TopicPartition
		at, read := inputOf(p, tp)
		c := f.offsets[tp]
		switch note, noted := task.FindNote(c.Meta.Notes, changelog); {
		case read && f.catalog.Another(tp.Topic, at.TopicID):
			return fmt.Errorf("store %q: topic %q was deleted and made anew: the state is of the topic of id %s, which is now of id %s: %w", name, tp.Topic, at.TopicID, f.catalog.TopicID(tp.Topic), broker.ErrReset)
		case !read || at.Offset == c.Offset:
		case f.cfg.Guarantee == AtLeastOnce && at.Offset > c.Offset:
		case noted && note.Stopped != task.Following && at.Offset >= note.Stopped && at.Offset < c.Offset:
			f.away[name] = p
		default:
			return fmt.Errorf("store %q: topic %q partition %d: the state is at offset %d, the group committed offset %d: %w", name, tp.Topic, tp.Partition, at.Offset, c.Offset, errUnusable)
		}
	}
	return nil
}

// without answers a store that has no position: it is new, unless the offsets were
// committed with it, or by a version that did not say which stores it had.
func (f *fitting) without(name, changelog string) error {
	for i := range f.lease.inputs {
		tp := f.lease.inputs[i].TopicPartition
		c := f.offsets[tp]
		_, noted := task.FindNote(c.Meta.Notes, changelog)
		switch {
		case c.Offset < 0, f.cfg.accepts(changelog), c.OnlyFixed():
		case noted, !c.Meta.Noted:
			return fmt.Errorf("store %q: the group committed offset %d of topic %q partition %d, and neither the local state nor the changelog %q says how far the store had followed: %w", name, c.Offset, tp.Topic, tp.Partition, changelog, errUnusable)
		}
	}
	f.fresh = append(f.fresh, name)
	empty, err := f.lease.stores.Empty(name)
	if err == nil && !empty && f.cfg.Guarantee == ExactlyOnce { // else a crash came between changes and position
		err = fmt.Errorf("store %q: the changelog %q has records and does not say how far the store had followed: %w", name, changelog, errUnusable)
	}
	return err
}

// inputOf is what a position says of a source partition.
func inputOf(p state.Position, tp broker.TopicPartition) (state.Input, bool) {
	for _, in := range p.Inputs {
		if in.Topic == tp.Topic && in.Partition == tp.Partition {
			return in, true
		}
	}
	return state.Input{}, false
}
