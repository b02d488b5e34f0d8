package statetest

import (
	"bytes"
	"fmt"
	"math"
	"reflect"

	"github.com/millrace/millrace/state"
)

// prepare prepares a commit and writes its records into the changelogs, to which transactions that end otherwise and
// markers add offsets without records.
func (h *history) prepare() error {
	if len(h.model.pending) == state.PendingCommits {
		if _, err := h.stores.Prepare(nil, ""); err == nil {
			return fmt.Errorf("%d commits are pending, and another can be prepared", state.PendingCommits)
		}
		return h.apply()
	}
	p := state.Position{
		Inputs: []state.Input{{Topic: "in", Partition: 3, Offset: int64(h.step), Watermark: int64(h.step) - 7, Highest: int64(h.step)}},
		Run:    "run",
	}
	entries, err := h.stores.Prepare(p.Inputs, p.Run)
	if err == nil {
		err = h.checkEntries(entries)
	}
	if err == nil && h.stores.DirtyBytes() != 0 {
		err = fmt.Errorf("after Prepare %d bytes are dirty", h.stores.DirtyBytes())
	}
	if err != nil {
		return err
	}
	next, from := []int64{-1, -1}, [2]int{len(h.model.logs[0]), len(h.model.logs[1])}
	for _, e := range entries {
		log := &h.model.logs[e.Store]
		*log = append(*log, &loggedRecord{key: bytes.Clone(e.Key), value: bytes.Clone(e.Value)})
		next[e.Store] = int64(len(*log))
	}
	h.model.prepare(p, next, from)
	return nil
}

// mark ends a transaction in the changelogs.
func (h *history) mark() {
	for i := range h.model.logs {
		h.model.logs[i] = append(h.model.logs[i], nil)
	}
}

// apply is the end of the oldest pending commit.
func (h *history) apply() error {
	if len(h.model.pending) == 0 {
		return h.checkPosition()
	}
	h.mark()
	if h.random.IntN(4) == 0 {
		h.wall += flushJump
	}
	h.wall += 100
	if err := h.stores.Apply(h.model.pending[0].next, h.wall); err != nil {
		return err
	}
	h.model.commit()
	if h.stores.LastApplied() != h.wall {
		return fmt.Errorf("after Apply LastApplied is %d, want %d", h.stores.LastApplied(), h.wall)
	}
	return h.checkPosition()
}

// commit is one commit that nothing else is done beside.
func (h *history) commit() error {
	err := h.drain()
	if err == nil {
		err = h.prepare()
	}
	if err == nil {
		err = h.apply()
	}
	return err
}

func (h *history) drain() error {
	for len(h.model.pending) > 0 {
		if err := h.apply(); err != nil {
			return err
		}
	}
	return nil
}

// abort leaves records in the changelogs that a read-committed reader never sees.
func (h *history) abort() error {
	if h.random.IntN(2) == 0 {
		if err := h.prepare(); err != nil {
			return err
		}
		h.mark()
	}
	h.stores.Discard()
	h.model.abort()
	return h.checkPosition()
}

// unknownCommitted is an EndTxn without an answer that did succeed: everything is dropped, and restored.
func (h *history) unknownCommitted() error {
	if err := h.succeed(); err != nil {
		return err
	}
	h.stores.Discard()
	return h.restore()
}

// succeed is a commit that Kafka has and nobody knows of; what was prepared behind it is aborted.
func (h *history) succeed() error {
	if len(h.model.pending) == 0 {
		if err := h.prepare(); err != nil {
			return err
		}
	}
	h.mark()
	h.model.commit()
	h.model.abort()
	return nil
}

func (h *history) crashBefore() error {
	if err := h.crash(); err != nil {
		return err
	}
	h.model.abort()
	return h.restore()
}

func (h *history) crashAfter() error {
	if err := h.succeed(); err != nil {
		return err
	}
	if err := h.crash(); err != nil {
		return err
	}
	return h.restore()
}

func (h *history) crash() error {
	dead := h.stores
	if c, ok := h.storage.(Crasher); ok {
		if err := c.Crash(h.random.IntN(101), h.random.Uint64()); err != nil {
			return err
		}
		defer dead.Close(h.random.IntN(2) == 0) //nolint:errcheck // whatever the dead one does is nobody's concern
	} else if err := dead.Close(false); err != nil {
		return err
	}
	return h.open()
}

// restart ends the process in good order; what it flushed must all be there, even if power fails then.
func (h *history) restart() error {
	before := h.applied()
	flush := h.random.IntN(2) == 0
	if err := h.stores.Close(flush); err != nil {
		return err
	}
	if c, ok := h.storage.(Crasher); ok && flush {
		if err := c.Crash(0, 0); err != nil {
			return err
		}
	}
	h.model.abort()
	if err := h.open(); err != nil {
		return err
	}
	if after := h.applied(); flush && after != before {
		return fmt.Errorf("the changelogs were applied up to %d and flushed; opened again, up to %d", before, after)
	}
	return h.restore()
}

// applied is how far the changelogs are applied, by store index.
func (h *history) applied() (next [2]int64) {
	for i, spec := range specs() {
		next[i] = h.stores.ChangelogNext(spec.Name)
	}
	return next
}

// rebuild loses the directory and restores all from the changelogs.
func (h *history) rebuild() error {
	if err := h.stores.Close(false); err != nil {
		return err
	}
	h.model.abort()
	lose := h.storage.Quarantine
	if h.random.IntN(2) == 0 {
		lose = h.storage.Remove
	}
	if err := lose(task); err != nil {
		return err
	}
	if err := h.open(); err != nil {
		return err
	}
	if n := h.stores.ChangelogNext("totals"); n != 0 {
		return fmt.Errorf("an empty store begins at changelog offset %d", n)
	}
	return h.restore()
}

// restore replays the changelogs from where the stores are, in batches, and compares.
func (h *history) restore() error {
	for i, spec := range specs() {
		log := h.model.logs[i]
		for next := h.stores.ChangelogNext(spec.Name); next < int64(len(log)); {
			to := min(next+1+int64(h.random.IntN(200)), int64(len(log)))
			var batch []state.ChangelogRecord
			for _, r := range log[next:to] {
				if r != nil {
					batch = append(batch, state.ChangelogRecord{Key: r.key, Value: r.value})
				}
			}
			if err := h.stores.Restore(spec.Name, batch, to); err != nil {
				return err
			}
			next = to
			if h.random.IntN(40) == 0 { // a restore that crashes goes on where it was
				if err := h.crash(); err != nil {
					return err
				}
				return h.restore()
			}
		}
	}
	if err := h.stores.FinishRestore(); err != nil {
		return err
	}
	if err := h.openHandles(); err != nil {
		return err
	}
	if err := h.checkPosition(); err != nil {
		return err
	}
	return h.compare()
}

// checkPosition compares the applied position with the last one committed.
func (h *history) checkPosition() error {
	for i, spec := range specs() {
		want, committed := h.model.position, h.model.position.Inputs != nil
		want.Closing = state.Closing{Watermark: math.MinInt64, Below: math.MinInt64}
		if i == windowStore {
			want.Closing = state.Closing{Watermark: h.model.committed.mark, Below: h.model.committed.below}
		}
		got, ok := h.stores.Position(spec.Name)
		if got.Traits = nil; ok != committed || ok && !reflect.DeepEqual(got, want) {
			return fmt.Errorf("Position(%q) = %+v, %v; want %+v, %v", spec.Name, got, ok, want, committed)
		}
	}
	return nil
}
