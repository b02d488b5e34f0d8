// Package workload is the data contract of the benchmarks in code: what the
// input topics hold, byte for byte, how they are loaded, and what the right
// output of each workload is. cmd/bench/CONTRACT.md has the contract in words.
// It shares no code with the stream processor it judges.
package workload

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// The fixed part of the data.
const (
	// BaseTimestamp is the event time of record 0 in ms: 2026-01-01T00:00:00Z.
	BaseTimestamp = 1767225600000
	// KeySize is the size of a key in bytes: the key id as %016x.
	KeySize = 16
	// MinValueSize is the smallest value in bytes: amount and seq.
	MinValueSize = 16
	// AmountRange bounds an amount: it is uniform in [0, AmountRange).
	AmountRange = 10000
)

// Parameters describe the records of one input topic.
type Parameters struct {
	// Keys is the number of distinct key ids, at least 1.
	Keys int64
	// Zipf is the exponent of the key ids' distribution: P(id) ~ 1/(id+1)^Zipf. Ids
	// are not scrambled: id 0 is the hottest. 0 is uniform.
	Zipf float64
	// ValueSize is the size of a value in bytes, at least MinValueSize.
	ValueSize int
	// Rate is records per second of event time, at least 1.
	Rate int64
	// Jitter in ms: 10 % of the records are up to this much early.
	Jitter int64
	// Seed selects one of many topics that are alike.
	Seed uint64
	// EveryKey makes the key id of a record its number; Zipf must be 0.
	EveryKey bool
}

// Gen makes the records of one input topic. It is immutable: Record is a pure
// function of (Parameters, seq), so that the same parameters always give the same
// bytes, in any order and from any process.
type Gen struct {
	Parameters
	zipf *zipf
}

// NewGen returns the generator, or all complaints about its parameters.
func NewGen(p Parameters) (*Gen, error) {
	var complaints []error
	complain := func(wrong bool, format string, args ...any) {
		if wrong {
			complaints = append(complaints, fmt.Errorf("workload: "+format, args...))
		}
	}
	complain(p.Keys < 1, "%d keys, want at least 1", p.Keys)
	complain(p.Rate < 1, "rate %d, want at least 1", p.Rate)
	complain(p.Jitter < 0, "jitter %d ms is negative", p.Jitter)
	complain(p.Zipf < 0, "zipf exponent %v is negative", p.Zipf)
	complain(p.EveryKey && p.Zipf > 0, "a record for every key leaves a zipf distribution no choice")
	complain(p.ValueSize < MinValueSize, "values of %d bytes, want at least %d", p.ValueSize, MinValueSize)
	if len(complaints) > 0 {
		return nil, errors.Join(complaints...)
	}
	g := &Gen{Parameters: p}
	if p.Zipf > 0 {
		g.zipf = newZipf(p.Keys, p.Zipf)
	}
	return g, nil
}

// Record writes record number seq into key and value, which must have length
// ValueSize, and returns its timestamp in ms.
func (g *Gen) Record(seq int64, key *[KeySize]byte, value []byte) (ts int64) {
	r := newRNG(g.Seed, uint64(seq))
	amount := r.uint64n(AmountRange)
	jitter := r.next()
	PutKey(key, g.id(seq, &r))
	binary.BigEndian.PutUint64(value, amount)
	binary.BigEndian.PutUint64(value[8:], uint64(seq))
	fill(value[MinValueSize:], &r)

	ts = g.time(seq)
	if g.Jitter > 0 && jitter%10 == 0 {
		ts -= int64(jitter / 10 % uint64(g.Jitter+1))
	}
	return ts
}

// time is the event time of record seq without jitter.
func (g *Gen) time(seq int64) int64 { return BaseTimestamp + seq*1000/g.Rate }

func (g *Gen) id(seq int64, r *rng) uint64 {
	switch {
	case g.EveryKey:
		return uint64(seq)
	case g.zipf != nil:
		return uint64(g.zipf.next(r))
	default:
		return r.uint64n(uint64(g.Keys))
	}
}

// fill writes printable ASCII, six random bits per byte ('0' to 'o'), so that the
// filler hardly compresses.
func fill(b []byte, r *rng) {
	const mask, zero = 0x3f3f3f3f3f3f3f3f, 0x3030303030303030
	for len(b) >= 8 {
		binary.LittleEndian.PutUint64(b, r.next()&mask+zero)
		b = b[8:]
	}
	if len(b) > 0 {
		var last [8]byte
		binary.LittleEndian.PutUint64(last[:], r.next()&mask+zero)
		copy(b, last[:])
	}
}
