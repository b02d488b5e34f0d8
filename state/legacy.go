package state

import (
	"bytes"
	"fmt"
	"math"

	"github.com/millrace/millrace/state/internal/engine"
)

// legacy is the position record of format 1, which one version wrote for all stores of a task, into the changelog of the
// first store by name and into the engine. It is read, never written: with the first commit every store has a record
// of its own.
//
//	| sequence (8) | 0x01 | run | uvarint n | inputs | uvarint n | closings |
//
// Of two of them the one with the higher sequence holds.
type legacy struct {
	sequence int64
	inputs   []Input
	run      string
	closings map[string]Closing // by store
	bytes    []byte
}

const (
	legacyFormat       = 1
	legacyInputFixed   = 1 + 4 + 8 + 8 + 1
	legacyClosingFixed = 1 + 8 + 8
)

// isLegacy reports whether a position record is of format 1: it begins with a number that is far below 2^56, one of a
// later format with its version byte.
func isLegacy(b []byte) bool { return len(b) > 8 && b[0] == 0 }

func decodeLegacy(b []byte) (legacy, error) {
	r := reader{rest: b}
	l := legacy{sequence: r.int64(), bytes: bytes.Clone(b), closings: map[string]Closing{}}
	if r.byte() != legacyFormat || l.sequence <= 0 {
		r.bad = true
	}
	l.run = r.text()
	for range r.count(legacyInputFixed) {
		in := Input{Topic: r.text(), Partition: int32(r.uint32()), Offset: r.int64(), Watermark: r.int64(), Highest: math.MinInt64}
		in.Upstream = r.upstream()
		l.inputs = append(l.inputs, in)
	}
	for range r.count(legacyClosingFixed) {
		store := r.text()
		l.closings[store] = Closing{Watermark: r.int64(), Below: r.int64()}
	}
	return l, r.end("position of format 1")
}

// position is what the record says of one store.
func (l *legacy) position(store string) Position {
	p := Position{Inputs: l.inputs, Run: l.run, Closing: noClosing}
	if c, ok := l.closings[store]; ok {
		p.Closing = c
	}
	return p
}

// loadLegacy reads what an older version left in the engine.
func (s *Stores) loadLegacy() error {
	b, err := s.record(reservedKey(keyPosition, ""))
	if err != nil || b == nil {
		return err
	}
	s.legacy, err = decodeLegacy(b)
	return damaged(err)
}

// adopt gives the stores that have no position of their own what an older version says of all of them. Where any has
// one, a later version has committed since, and the record is out of date.
func (s *Stores) adopt() {
	if s.legacy.sequence == 0 {
		return
	}
	for _, st := range s.stores {
		if st.position != nil && !st.adopted {
			return
		}
	}
	for _, st := range s.stores {
		p := s.legacy.position(st.spec.Name)
		st.position, st.adopted, st.closing = p.Append(nil), true, p.Closing
	}
}

// restoreLegacy takes a record of format 1 from a changelog.
func (s *Stores) restoreLegacy(batch engine.Batch, b []byte) error {
	l, err := decodeLegacy(b)
	if err != nil {
		return fmt.Errorf("position: %w", err)
	}
	if l.sequence < s.legacy.sequence {
		return nil
	}
	s.legacy = l
	return batch.Set(reservedKey(keyPosition, ""), l.bytes)
}
