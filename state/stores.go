package state

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/millrace/millrace/state/internal/engine"
)

// Stores are all stores of one task: one engine, one commit. They belong to the goroutine that owns the task.
//
// What always holds:
//  1. The engine reflects a committed prefix of each store's changelog, up to ChangelogNext, and Position is the
//     position of the store's last commit in it. Both change in one atomic write, in Apply or in a restore.
//  2. Nothing dirty is in the engine. What was prepared is pending until its Apply or a Discard; see PendingCommits.
//  3. After an error of the engine everything fails with that error until Close: what is open must be opened again.
type Stores struct {
	id     Identity
	engine engine.Engine
	hooks  storeHooks
	stores []*store // in the order of the specs
	legacy legacy   // what an older version wrote for all stores; zero once every store has its own position
	// lastApplied is the wall clock of the last Apply in ms, flushed that of the last flush asked for, or
	// of the first Apply.
	lastApplied, flushed int64

	commits [PendingCommits]commit // a ring: pending of them, from oldest on
	oldest  int
	pending int
	broken  error
	restore bool // records were restored since the last FinishRestore
	journal journal

	dirtyBytes int
	share      share // of what may stay in memory after an Apply
	writes     uint64
	blind      uint64 // of them need not know what was there
	peeks      uint64
	reads      uint64 // of the engine, for want of an entry
	key, value []byte // scratch for one engine read
	checked    []byte // scratch of Check
	sorter     sorter
}

// store is one store of a task, untyped.
type store struct {
	spec  Spec
	index int // in Stores.stores, and in the specs
	storeRecord
	changelogRecord
	found     bool    // in the engine, when it was opened
	idChanged bool    // topicID is newer than what the engine has
	closing   Closing // as of now, dirty
	traits    []Trait // what goes into the next position
	position  []byte  // of the last commit applied, encoded; nil if there is none
	adopted   bool    // position was made of what an older version wrote for all stores
	aside     bool    // not followed at present; see SetAside
	changed   bool    // scratch of Prepare
	limit     int     // of key and value of an entry, bytes; see SetLimit
	overlay   overlay // nil until a handle opens the store
}

// overlay is what Stores asks of the typed half of a store.
type overlay interface {
	// prepare encodes every dirty entry into c, keys ascending.
	prepare(c *commit) error
	// settle is called when the engine has got the pending commit of a slot. It drops the clean entries that the
	// commit did not touch from so large a part of all, from 0 to 1, the part that came first.
	settle(slot int, drop float64)
	// reload drops everything and looks afresh at what the engine holds.
	reload() error
	// check reports an entry that was changed since the savepoint and cannot be committed.
	check() error
	// undo makes everything what it was at the savepoint; keep forgets the savepoint.
	undo() error
	keep()
	// bytes is about the memory in use.
	bytes() int
}

// openStores opens the stores in e. It does not close e on error.
func openStores(e engine.Engine, id Identity, specs []Spec, b *budget, hooks storeHooks) (*Stores, error) {
	if err := checkSpecs(specs); err != nil {
		return nil, err
	}
	s := &Stores{id: id, engine: e, hooks: hooks, share: share{budget: b}}
	for i, spec := range specs {
		s.stores = append(s.stores, &store{spec: spec, index: i, closing: noClosing, traits: kept(spec), limit: noLimit})
	}
	for slot := range s.commits {
		s.commits[slot] = commit{
			slot: slot, batch: e.NewBatch(), arena: make([]byte, 0, arenaFirst), positions: make([][]byte, len(specs)),
		}
	}
	if err := s.load(); err != nil {
		return nil, err
	}
	b.open.Add(1)
	return s, nil
}

// Position is the position of a store's last commit in the engine; false if it has none: it is new, or the task has no
// such store.
func (s *Stores) Position(store string) (Position, bool) {
	st := s.find(store)
	if st == nil {
		return Position{}, false
	}
	return st.lastPosition()
}

// lastPosition decodes the applied position.
func (st *store) lastPosition() (Position, bool) {
	if st.position == nil {
		return Position{}, false
	}
	p, err := DecodePosition(st.position) // checked when it was taken over
	return p, err == nil
}

// SetAside leaves a store out of the commits to come, or takes it in again: its position stays where it is, as that of a
// store that was not there. Nothing may be written to it meanwhile.
func (s *Stores) SetAside(store string, aside bool) {
	if st := s.find(store); st != nil {
		st.aside = aside
	}
}

// Empty reports whether the engine holds nothing of a store.
func (s *Stores) Empty(store string) (bool, error) {
	st := s.find(store)
	if st == nil {
		return true, nil
	}
	from, to := storeRange(st.id)
	_, any, err := engine.First(s.engine, from, to)
	if err != nil {
		return false, s.fail("look into store "+store, err)
	}
	return !any, nil
}

// ChangelogNext is the next offset of a store's changelog to restore from; 0 if nothing is there or the task has no
// such store.
func (s *Stores) ChangelogNext(store string) int64 {
	if st := s.find(store); st != nil {
		return st.next
	}
	return 0
}

// ChangelogID is the topic id that ChangelogNext belongs to; "" if none was set.
func (s *Stores) ChangelogID(store string) string {
	if st := s.find(store); st != nil {
		return st.topicID
	}
	return ""
}

// SetChangelogID sets the topic id of a store's changelog; Apply, Restore and FinishRestore make it durable.
func (s *Stores) SetChangelogID(store, id string) {
	if st := s.find(store); st != nil && st.topicID != id {
		st.topicID, st.idChanged = id, true
	}
}

// LastApplied is the wall clock, in ms, up to which the stores are known to have followed their changelogs: that of
// the last Apply, or a later SetLastApplied; 0 if never. Where it lies further back than the changelog's
// delete.retention.ms, deletions may have been missed for good and the state has to be rebuilt.
func (s *Stores) LastApplied() int64 { return s.lastApplied }

// SetLastApplied sets what LastApplied returns; Restore and FinishRestore make it durable. A restore from an empty
// store sets the time it began, any restore the time it ended.
func (s *Stores) SetLastApplied(wallMillis int64) { s.lastApplied = wallMillis }

// DirtyBytes is about the number of bytes the next Prepare will encode. Values that are new are taken to be as large as
// others of their store; those that grow while they are dirty are counted with the size they had.
func (s *Stores) DirtyBytes() int { return s.dirtyBytes }

// Writes counts all changes so far, never goes back, and so shows whether something was changed between two calls.
func (s *Stores) Writes() uint64 { return s.writes }

// Err is the error of the engine after which everything fails; nil while there is none.
func (s *Stores) Err() error { return s.broken }

// Close releases the stores. With flush, everything applied is made durable before, so that the next Open has
// nothing to restore; without, or after an error, up to what the changelogs bring back may be lost. What is dirty or
// pending is dropped either way.
func (s *Stores) Close(flush bool) error {
	if errors.Is(s.broken, fs.ErrClosed) {
		return nil
	}
	var err error
	if flush && s.broken == nil {
		err = s.engine.Flush()
	}
	err = errors.Join(err, s.engine.Close())
	s.share.lend()
	s.share.open.Add(-1)
	s.broken = fmt.Errorf("state: task %s: the stores are closed: %w", s.id.Task, fs.ErrClosed)
	s.hooks.closed()
	return err
}

// find returns the store of a name; nil if there is none.
func (s *Stores) find(name string) *store {
	for _, st := range s.stores {
		if st.spec.Name == name {
			return st
		}
	}
	return nil
}

// fail remembers the first error of the engine.
func (s *Stores) fail(doing string, err error) error {
	s.broken = fmt.Errorf("state: task %s: %s: %w; close the stores and restore", s.id.Task, doing, err)
	return s.broken
}
