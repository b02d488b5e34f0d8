package state

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/millrace/millrace/state/internal/engine"
)

// load reads the reserved keys, and writes those of what is new.
func (s *Stores) load() error {
	batch := s.engine.NewBatch()
	if err := s.loadIdentity(batch); err != nil {
		return err
	}
	if err := s.loadStores(batch); err != nil {
		return err
	}
	if err := s.loadPosition(); err != nil {
		return err
	}
	if batch.Size() == 0 {
		return nil
	}
	return s.engine.Apply(batch)
}

// record reads the value of a reserved key; nil if there is none. It is valid until the next one.
func (s *Stores) record(key []byte) ([]byte, error) {
	v, ok, err := s.engine.Get(s.value[:0], key)
	s.value = v
	if err != nil || !ok {
		return nil, err
	}
	return v, nil
}

// damaged says that a record of ours in the engine cannot be read, which only damage explains unless a newer version
// wrote it.
func damaged(err error) error {
	if err == nil || errors.Is(err, ErrNewerFormat) {
		return err
	}
	return fmt.Errorf("%w: %w", ErrCorrupt, err)
}

func (s *Stores) loadIdentity(batch engine.Batch) error {
	b, err := s.record(reservedKey(keyIdentity, ""))
	if err != nil {
		return err
	}
	if b == nil {
		if _, ok, err := engine.First(s.engine, []byte{reserved}, []byte{0xFF, 0xFF}); err != nil || ok {
			return errors.Join(err, damaged(errors.New("there is state, but no identity record")))
		}
		return batch.Set(reservedKey(keyIdentity, ""), s.id.append(nil))
	}
	found, err := decodeIdentity(b)
	if err != nil {
		return damaged(err)
	}
	if b[0] != identityFormat {
		if err := batch.Set(reservedKey(keyIdentity, ""), s.id.append(nil)); err != nil {
			return err
		}
	}
	if found != s.id {
		return fmt.Errorf("%w: the directory holds task %s of application %q, wanted is task %s of application %q; remove it "+
			"or put the right one back", ErrIdentity, found.Task, found.ApplicationID, s.id.Task, s.id.ApplicationID)
	}
	return nil
}

// loadStores reads the known stores, gives ids to new ones in the order of their names, and drops those that are
// named no more: nobody would notice if their changelogs went on without them.
func (s *Stores) loadStores(batch engine.Batch) error {
	known, err := s.knownStores()
	if err != nil {
		return err
	}
	used := map[uint16]bool{}
	for _, st := range s.stores {
		r, ok := known[st.spec.Name]
		if !ok || r.kind != st.spec.Kind { // of another kind: the changelog says whether that is right, this may be an old disk
			continue
		}
		st.storeRecord, st.found = r, true
		used[r.id] = true
		delete(known, st.spec.Name)
		if err := s.loadChangelog(st); err != nil {
			return err
		}
	}
	for _, name := range slices.Sorted(maps.Keys(known)) {
		if err := dropStore(batch, name, known[name].id); err != nil {
			return err
		}
	}
	return s.numberStores(batch, used)
}

func (s *Stores) knownStores() (map[string]storeRecord, error) {
	known := map[string]storeRecord{}
	from, to := reservedKey(keyStore, ""), reservedKey(keyStore+1, "")
	err := s.engine.Scan(from, to, func(key, value []byte) error {
		r, err := decodeStoreRecord(value)
		known[string(key[len(from):])] = r
		return damaged(err)
	})
	return known, err
}

func (s *Stores) loadChangelog(st *store) error {
	b, err := s.record(reservedKey(keyChangelog, st.spec.Name))
	if err != nil || b == nil {
		return err
	}
	st.changelogRecord, err = decodeChangelogRecord(b)
	return damaged(err)
}

func dropStore(batch engine.Batch, name string, id uint16) error {
	from, to := storeRange(id)
	return errors.Join(
		batch.DeleteRange(from, to),
		batch.Delete(reservedKey(keyStore, name)),
		batch.Delete(reservedKey(keyChangelog, name)),
		batch.Delete(reservedKey(keyPosition, name)),
	)
}

func (s *Stores) numberStores(batch engine.Batch, used map[uint16]bool) error {
	fresh := slices.Clone(s.stores)
	slices.SortFunc(fresh, func(a, b *store) int { return strings.Compare(a.spec.Name, b.spec.Name) })
	next := uint16(storeIDFirst)
	for _, st := range fresh {
		if st.id != 0 {
			continue
		}
		for used[next] {
			next++
		}
		used[next] = true
		st.storeRecord = storeRecord{id: next, kind: st.spec.Kind}
		if err := batch.Set(reservedKey(keyStore, st.spec.Name), st.storeRecord.append(nil)); err != nil {
			return err
		}
	}
	return nil
}

func (s *Stores) loadPosition() error {
	b, err := s.record(reservedKey(keyApplied, ""))
	if err != nil {
		return err
	}
	if b != nil {
		r := reader{rest: b}
		s.lastApplied = r.int64()
		if err := r.end("time of the last commit"); err != nil {
			return damaged(err)
		}
	}
	for _, st := range s.stores {
		if err := s.loadPositionOf(st); err != nil {
			return err
		}
	}
	if err := s.loadLegacy(); err != nil {
		return err
	}
	s.adopt()
	return s.takeClosings()
}

func (s *Stores) loadPositionOf(st *store) error {
	if !st.found {
		return nil // what there may be is of a store of another kind
	}
	b, err := s.record(reservedKey(keyPosition, st.spec.Name))
	if err != nil || b == nil {
		return err
	}
	if _, err := DecodePosition(b); err != nil {
		return damaged(err)
	}
	st.position = bytes.Clone(b)
	return nil
}

// takeClosings makes the closings of the applied positions the current ones.
func (s *Stores) takeClosings() error {
	for _, st := range s.stores {
		st.closing = noClosing
		if st.position == nil {
			continue
		}
		p, err := DecodePosition(st.position)
		if err != nil {
			return damaged(err)
		}
		st.closing = p.Closing
	}
	return nil
}
