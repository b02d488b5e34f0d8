package group

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/millrace/millrace/processor/internal/assign"
	"github.com/millrace/millrace/processor/internal/broker"
	"github.com/millrace/millrace/processor/internal/task"
)

// needsTimeout bounds the question of what the state of the tasks has, in the
// middle of a rebalance.
const needsTimeout = 5 * time.Second

// needs finds which stores the state of each task has, where members have
// different ones: while a version that adds or takes away a store is rolled out. A
// task whose state has a store is then not given to a member that would leave it
// behind. What the tasks have is in the metadata of their offsets; what cannot be
// asked is unknown.
//
// The group client's goroutine calls it; it touches nothing that changes.
func (m *Member) needs(seats []seat) func(assign.Task) []string {
	stores := storesToldBy(seats)
	if stores == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), needsTimeout)
	defer cancel()
	offsets, err := m.offsets.Fetch(ctx, m.balancer.layout.Everything(), false)
	if err != nil {
		m.note(fmt.Errorf("which stores the tasks have is not known, so a task may go to a member that lacks one, which is brought up later: %w", err))
		return nil
	}
	return func(t assign.Task) (all []string) {
		source := m.balancer.layout.Sources[t.Subtopology][0]
		notes := offsets[broker.TopicPartition{Topic: source, Partition: t.Partition}].Meta.Notes
		for _, store := range stores {
			note, ok := task.FindNote(notes, m.changelog(store))
			if ok && note.Stopped == task.Following {
				all = append(all, store)
			}
		}
		return all
	}
}

// storesToldBy lists the stores that the members have; nil if all have the same.
func storesToldBy(seats []seat) (all []string) {
	differ := false
	for _, s := range seats {
		own := s.stores()
		differ = differ || !slices.Equal(own, seats[0].stores())
		all = append(all, own...)
	}
	if !differ {
		return nil
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// stores are all that a member says it has, sorted.
func (s *seat) stores() (all []string) {
	for _, sub := range s.profile.subs {
		all = append(all, sub.Stores...)
	}
	return sorted(all)
}
