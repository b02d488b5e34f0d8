package state

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/millrace/millrace/state/internal/engine"
)

// Apply puts what was prepared into the engine, in one atomic write with the position, after Kafka has committed it.
// next[i] is the offset after the last record of store i's changelog in the transaction, -1 if it got none.
// wallMillis is the wall clock. After an error the stores must be closed, opened again and restored: Kafka is right.
func (s *Stores) Apply(next []int64, wallMillis int64) error {
	if s.broken != nil {
		return s.broken
	}
	c := &s.commit
	if err := s.checkApply(next); err != nil {
		return err
	}
	err := s.writeRecords(c.batch, next, wallMillis)
	if err == nil {
		err = s.engine.Apply(c.batch)
	}
	if s.flushed == 0 {
		s.flushed = wallMillis
	}
	if err == nil && wallMillis-s.flushed >= flushEvery {
		s.flushed = wallMillis
		err = s.engine.FlushSoon()
	}
	if err != nil {
		return s.fail("apply a commit", err)
	}
	s.accept(next, wallMillis)
	return nil
}

// checkApply refuses what would break the invariants of Stores.
func (s *Stores) checkApply(next []int64) error {
	c := &s.commit
	switch {
	case !c.pending:
		return fmt.Errorf("state: task %s: nothing is prepared; Prepare before Apply", s.id.Task)
	case c.writes != s.writes:
		return fmt.Errorf("state: task %s: the stores were written between Prepare and Apply; discard and restore", s.id.Task)
	case len(next) != len(s.stores):
		return fmt.Errorf("state: task %s: %d changelog offsets for %d stores", s.id.Task, len(next), len(s.stores))
	}
	counts := make([]int64, len(s.stores))
	for _, e := range c.entries {
		counts[e.Store]++
	}
	for i, st := range s.stores {
		if n := counts[i]; n > 0 && next[i] < st.next+n || next[i] >= 0 && next[i] < st.next {
			return fmt.Errorf("state: store %q: %d records written from changelog offset %d cannot end at %d; discard and restore",
				st.spec.Name, n, st.next, next[i])
		}
	}
	return nil
}

// writeRecords adds what goes with every applied commit to batch.
func (s *Stores) writeRecords(batch engine.Batch, next []int64, wallMillis int64) error {
	for i, st := range s.stores {
		if next[i] < 0 && !st.idChanged {
			continue
		}
		r := st.changelogRecord
		r.next = max(r.next, next[i])
		if err := batch.Set(reservedKey(keyChangelog, st.spec.Name), r.append(nil)); err != nil {
			return err
		}
	}
	return batch.Set(reservedKey(keyApplied, ""), binary.BigEndian.AppendUint64(nil, uint64(wallMillis)))
}

// accept makes what was applied the state of affairs.
func (s *Stores) accept(next []int64, wallMillis int64) {
	c := &s.commit
	total := 0
	for i, st := range s.stores {
		st.next, st.idChanged = max(st.next, next[i]), false
		if st.overlay != nil {
			total += st.overlay.bytes()
		}
	}
	for _, st := range s.stores {
		if st.overlay != nil {
			st.overlay.settle(total > s.overlayBytes)
		}
	}
	if c.position.seq > 0 {
		s.applied.seq = c.position.seq
		s.applied.position = append(s.applied.position[:0], c.position.position...)
	}
	s.lastApplied, s.dirtyBytes = wallMillis, 0
	c.reset()
}

// Discard drops all that is dirty or pending, because the transaction was aborted or its outcome is not known: the
// stores show again what the engine holds.
func (s *Stores) Discard() {
	s.commit.reset()
	s.dirtyBytes = 0
	if s.broken != nil {
		return
	}
	if err := s.reload(); err != nil {
		_ = s.fail("discard a commit", err) // every later call returns it
	}
}

// reload makes every overlay and every closing follow the engine.
func (s *Stores) reload() error {
	err := s.takeClosings()
	for _, st := range s.stores {
		if st.overlay != nil {
			err = errors.Join(err, st.overlay.reload())
		}
	}
	return err
}
