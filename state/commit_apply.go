package state

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/millrace/millrace/state/internal/engine"
)

// Apply puts the oldest pending commit into the engine, in one atomic write with the position, after Kafka has
// committed it.
// next[i] is the offset after the last record of store i's changelog in the transaction, -1 if it got none.
// wallMillis is the wall clock. After an error the stores must be closed, opened again and restored: Kafka is right.
func (s *Stores) Apply(next []int64, wallMillis int64) error {
	if s.broken != nil {
		return s.broken
	}
	c := &s.commits[s.oldest]
	if err := s.checkApply(c, next); err != nil {
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
	s.accept(c, next, wallMillis)
	return nil
}

// checkApply refuses what would break the invariants of Stores.
func (s *Stores) checkApply(c *commit, next []int64) error {
	switch {
	case s.pending == 0:
		return fmt.Errorf("state: task %s: nothing is prepared; Prepare before Apply", s.id.Task)
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
	if s.legacy.sequence > 0 {
		if err := batch.Delete(reservedKey(keyPosition, "")); err != nil {
			return err
		}
	}
	return batch.Set(reservedKey(keyApplied, ""), binary.BigEndian.AppendUint64(nil, uint64(wallMillis)))
}

// accept makes what was applied the state of affairs.
func (s *Stores) accept(c *commit, next []int64, wallMillis int64) {
	for i, st := range s.stores {
		st.next, st.idChanged = max(st.next, next[i]), false
	}
	drop := s.share.excess(s.overlayBytes(), s.lookups())
	for _, st := range s.stores {
		if st.overlay != nil {
			st.overlay.settle(c.slot, drop)
		}
	}
	s.share.use(s.overlayBytes())
	for i, st := range s.stores {
		if p := c.positions[i]; p != nil {
			st.position, st.adopted = append(st.position[:0], p...), false
		}
	}
	s.legacy = legacy{}
	s.lastApplied = wallMillis
	c.reset()
	s.oldest, s.pending = (s.oldest+1)%PendingCommits, s.pending-1
}

// overlayBytes is about the memory of all overlays.
func (s *Stores) overlayBytes() int {
	total := 0
	for _, st := range s.stores {
		if st.overlay != nil {
			total += st.overlay.bytes()
		}
	}
	return total
}

func (s *Stores) lookups() lookups { return lookups{all: s.writes - s.blind + s.peeks, read: s.reads} }

// Discard drops all that is dirty or pending, because a transaction was aborted or its outcome is not known: the
// stores show again what the engine holds.
func (s *Stores) Discard() {
	for slot := range s.commits {
		s.commits[slot].reset()
	}
	s.Keep()
	s.pending, s.dirtyBytes = 0, 0
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
