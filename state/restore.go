package state

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"github.com/millrace/millrace/state/internal/engine"
)

// ChangelogRecord is one record read from a changelog.
type ChangelogRecord struct {
	// Key and Value are the record's; a nil Value is a tombstone. They stay the caller's.
	Key, Value []byte
}

// Restore applies records of one store's changelog, in their order, from ChangelogNext on, and sets ChangelogNext to
// next, the position after them; control records are no records but count for next. The batch is one atomic write:
// after a crash the restore goes on from ChangelogNext. Nothing may be dirty. The error wraps ErrForeign if a record is
// none of ours, ErrNewerFormat if it is of a newer version.
func (s *Stores) Restore(store string, recs []ChangelogRecord, next int64) error {
	if s.broken != nil {
		return s.broken
	}
	st := s.find(store)
	switch {
	case st == nil:
		return fmt.Errorf("state: task %s has no store %q to restore", s.id.Task, store)
	case s.pending > 0 || s.dirtyBytes > 0:
		return fmt.Errorf("state: store %q: restored over uncommitted changes; Discard first", store)
	case next < st.next:
		return fmt.Errorf("state: store %q: restored back from changelog offset %d to %d; quarantine it and restore from 0",
			store, st.next, next)
	}
	batch, position := s.commits[0].batch, []byte(nil)
	batch.Reset()
	defer batch.Reset()
	for i, rec := range recs {
		p, err := s.restoreRecord(batch, st, rec)
		if err != nil {
			return fmt.Errorf("state: changelog %s, record %d before offset %d: %w",
				st.spec.ChangelogTopic(s.id.ApplicationID), len(recs)-i, next, err)
		}
		if p != nil {
			position = p
		}
	}
	if err := s.applyRestored(batch, st, position, next); err != nil {
		return s.fail("restore store "+store, err)
	}
	s.restore = true
	if position != nil {
		st.position, st.adopted = bytes.Clone(position), false
	}
	st.next, st.idChanged = next, false
	return nil
}

// restoreRecord adds one record to batch, or returns the position it holds.
func (s *Stores) restoreRecord(batch engine.Batch, st *store, rec ChangelogRecord) (position []byte, err error) {
	if len(rec.Key) == 0 {
		return nil, fmt.Errorf("it has no key: %w", ErrForeign)
	}
	tag := rec.Key[0]
	switch {
	case tag == tagPosition && len(rec.Key) == 1 && isLegacy(rec.Value):
		return nil, s.restoreLegacy(batch, rec.Value)
	case tag == tagPosition && len(rec.Key) == 1:
		_, err := DecodePosition(rec.Value)
		return rec.Value, err
	case tag == tagKeyValue && st.kind == KeyValue:
	case tag == tagWindow && st.kind == Window && len(rec.Key) > startSize:
	case tag > tagWindow:
		return nil, fmt.Errorf("it has the unknown tag %#x: %w", tag, ErrNewerFormat)
	case tag == tagKeyValue && st.kind == Window, tag == tagWindow && st.kind == KeyValue && len(rec.Key) > startSize:
		return nil, otherKind(st.spec.Name, KeyValue+Window-st.kind, st.kind)
	default:
		return nil, fmt.Errorf("its key %.20x is not one of a %v store: %w", rec.Key, st.kind, ErrForeign)
	}
	s.key = append(appendStoreID(s.key[:0], st.id), rec.Key[1:]...)
	if rec.Value == nil {
		return nil, batch.Delete(s.key)
	}
	return nil, batch.Set(s.key, rec.Value)
}

// otherKind refuses the state of a store that was of another kind.
func otherKind(name string, was, is Kind) error {
	d := Difference{Trait: "store", Was: was.String(), Is: is.String()}
	return fmt.Errorf("store %q: %v: %w", name, d, ErrMeaning)
}

func (s *Stores) applyRestored(batch engine.Batch, st *store, position []byte, next int64) error {
	r := changelogRecord{next: next, topicID: st.topicID}
	err := batch.Set(reservedKey(keyChangelog, st.spec.Name), r.append(nil))
	if err == nil && position != nil {
		err = batch.Set(reservedKey(keyPosition, st.spec.Name), position)
	}
	if err == nil {
		err = s.writeLastApplied(batch)
	}
	if err == nil {
		err = s.engine.Apply(batch)
	}
	return err
}

func (s *Stores) writeLastApplied(batch engine.Batch) error {
	return batch.Set(reservedKey(keyApplied, ""), binary.BigEndian.AppendUint64(nil, uint64(s.lastApplied)))
}

// FinishRestore ends the restore of all stores: the windows that the position says are closed go, stores that are
// open in the task show the restored state, and copies quarantined before are deleted. It does no harm where nothing
// was restored.
func (s *Stores) FinishRestore() error {
	if s.broken != nil {
		return s.broken
	}
	if s.pending > 0 || s.dirtyBytes > 0 {
		return fmt.Errorf("state: task %s: restore finished over uncommitted changes; Discard first", s.id.Task)
	}
	s.adopt()
	if err := errors.Join(s.takeClosings(), s.dropClosed()); err != nil {
		return s.fail("finish the restore", err)
	}
	if err := s.reload(); err != nil {
		return s.fail("finish the restore", err)
	}
	s.restore = false
	if err := s.hooks.rebuilt(); err != nil {
		return s.fail("delete quarantined state", err)
	}
	return nil
}

func (s *Stores) dropClosed() error {
	batch := s.commits[0].batch
	batch.Reset()
	defer batch.Reset()
	for _, st := range s.stores {
		if st.kind != Window || st.closing.Below == math.MinInt64 {
			continue
		}
		from, to := closedRange(st.id, st.closing.Below)
		if err := batch.DeleteRange(from, to); err != nil {
			return err
		}
	}
	for _, st := range s.stores {
		if !st.idChanged {
			continue
		}
		if err := batch.Set(reservedKey(keyChangelog, st.spec.Name), st.changelogRecord.append(nil)); err != nil {
			return err
		}
		st.idChanged = false
	}
	if err := s.writeLastApplied(batch); err != nil {
		return err
	}
	return s.engine.Apply(batch)
}
