package state

import (
	"bytes"
	"fmt"

	"github.com/millrace/millrace/state/internal/engine"
)

// PendingCommits is how many commits may be prepared and not yet applied, while the stores are written on.
const PendingCommits = 2

const (
	// arenaFirst is the first size of a commit's arena.
	arenaFirst = 64 << 10
	// arenaRetained is what a commit keeps of its arena for the next one.
	arenaRetained = 32 << 20
	// commitMax bounds the encoded bytes of one commit. A batch of Pebble must stay below 4 GiB; a commit of a task
	// that comes near this bound should long have been forced.
	commitMax = 1 << 30
	// flushEvery is the age in ms at which what is applied is flushed, if the memtable has not filled up before: it
	// bounds what a crash makes a slow task replay.
	flushEvery = 30_000
)

// Entry is one changelog record.
type Entry struct {
	// Store is the index into the specs given to Storage.Open.
	Store int
	// Key and Value are the record's; a nil Value is a tombstone. The bytes belong to the Stores and are valid until
	// the Apply of their commit or Discard.
	Key, Value []byte
}

// commit collects what one Prepare encodes: changelog entries over one arena, and the engine batch beside them, which
// differs only in the prefix of the keys. Both are reused from commit to commit.
type commit struct {
	slot    int // in Stores.commits
	batch   engine.Batch
	arena   []byte
	entries []Entry
	key     []byte // scratch: the engine key of one entry
	store   *store // the one being encoded
	// positions are those being committed, by store; nil where it is that of the commit before and not written again.
	positions [][]byte
}

func (c *commit) reset() {
	if cap(c.arena) > arenaRetained {
		c.arena = make([]byte, 0, arenaFirst)
	}
	c.batch.Reset()
	clear(c.entries)
	clear(c.positions)
	c.arena, c.entries = c.arena[:0], c.entries[:0]
}

// add ends the entry whose key is arena[from:mid] and whose value is what follows; deleted entries have no value.
func (c *commit) add(from, mid int, deleted bool) error {
	end := len(c.arena)
	if end > commitMax {
		return fmt.Errorf("state: store %q: the commit has more than %d bytes; commit more often or use smaller values",
			c.store.spec.Name, commitMax)
	}
	key, value := c.arena[from:mid:mid], c.arena[mid:end:end]
	c.key = append(appendStoreID(c.key[:0], c.store.id), key[1:]...)
	if deleted {
		c.entries = append(c.entries, Entry{Store: c.store.index, Key: key})
		return c.batch.Delete(c.key)
	}
	c.entries = append(c.entries, Entry{Store: c.store.index, Key: key, Value: value})
	return c.batch.Set(c.key, value)
}

// Prepare encodes all that is dirty, keys ascending within each store, and behind that the position of each store: how
// far the task has processed its inputs, in which bounded run. It returns the changelog entries to be sent in the
// transaction. A store has none if neither its state nor its position has changed.
//
// The stores may be written on meanwhile: what is written belongs to the next commit. Up to PendingCommits may be
// pending; they are applied in their order. After an error of a codec, Discard.
func (s *Stores) Prepare(inputs []Input, run string) ([]Entry, error) {
	if s.broken != nil {
		return nil, s.broken
	}
	if s.pending == PendingCommits {
		return nil, fmt.Errorf("state: task %s: %d commits are pending; Apply or Discard first", s.id.Task, s.pending)
	}
	c := &s.commits[(s.oldest+s.pending)%PendingCommits]
	if s.restore {
		return nil, fmt.Errorf("state: task %s: prepared in the middle of a restore; FinishRestore first", s.id.Task)
	}
	c.reset()
	for _, st := range s.stores {
		from := len(c.entries)
		if c.store = st; st.overlay != nil {
			if err := st.overlay.prepare(c); err != nil {
				return nil, err
			}
		}
		st.changed = len(c.entries) > from
	}
	for _, st := range s.stores {
		if err := s.preparePosition(c, st, inputs, run); err != nil {
			return nil, err
		}
	}
	s.pending++
	s.dirtyBytes = 0
	return c.entries, nil
}

// newest is the position of the last commit of a store that was prepared, or else applied; nil if it has none of its
// own.
func (s *Stores) newest(st *store) []byte {
	for n := s.pending - 1; n >= 0; n-- {
		if p := s.commits[(s.oldest+n)%PendingCommits].positions[st.index]; p != nil {
			return p
		}
	}
	if st.adopted {
		return nil
	}
	return st.position
}

func (s *Stores) preparePosition(c *commit, st *store, inputs []Input, run string) error {
	if st.aside {
		return nil
	}
	from := len(c.arena)
	c.arena = append(c.arena, tagPosition)
	c.arena = Position{Inputs: inputs, Run: run, Closing: st.closing, Traits: st.traits}.Append(c.arena)
	value := c.arena[from+1:]
	if !st.changed && bytes.Equal(value, s.newest(st)) {
		return nil
	}
	c.positions[st.index] = value
	c.entries = append(c.entries, Entry{Store: st.index, Key: c.arena[from : from+1 : from+1], Value: value})
	return c.batch.Set(reservedKey(keyPosition, st.spec.Name), value)
}

// spread is what a dirty entry costs beside its key and value, in DirtyBytes: headers, offsets and lengths in batch
// and record.
const spread = 32

func (s *Stores) dirtied(key, value int) { s.dirtyBytes += key + value + spread }
