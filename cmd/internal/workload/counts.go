package workload

import (
	"context"
	"encoding/binary"
	"fmt"

	"github.com/twmb/franz-go/pkg/kgo"
)

// outKey is the key of an aggregate's row: key id, and for windows the one or
// two int64 that follow the key bytes on the wire (window start; session end
// and start).
type outKey struct {
	id   uint64
	a, b int64
}

func (k outKey) String() string { return fmt.Sprintf("%016x/%d/%d", k.id, k.a, k.b) }

// parseOutKey reads an output key with n int64 after the key bytes.
func parseOutKey(key []byte, n int) (k outKey, ok bool) {
	if len(key) != KeySize+8*n {
		return k, false
	}
	if k.id, ok = ParseKey(key[:KeySize]); !ok {
		return k, false
	}
	if n > 0 {
		k.a = int64(binary.BigEndian.Uint64(key[KeySize:]))
	}
	if n > 1 {
		k.b = int64(binary.BigEndian.Uint64(key[KeySize+8:]))
	}
	return k, true
}

// An aggregate is the reference implementation of a count.
type aggregate interface {
	// add counts one record; late reports that it counted nowhere.
	add(partition int32, id uint64, ts int64) (late bool)
	// flush only moves the stream time.
	flush(partition int32, ts int64) (now int64)
	// each calls fn for every row of the truth.
	each(fn func(k outKey, count int64))
	// keyInts is the number of int64 after the key bytes.
	keyInts() int
	// row looks up one row of the truth.
	row(k outKey) (count int64, ok bool)
	// closedFor is how many ms of stream time ago, at the end of the input, the
	// row was closed; negative if it is still open.
	closedFor(k outKey) int64
}

func tumbling(grace int64) aggregate  { return newWindows(windowSize, windowSize, grace) }
func hopping(grace int64) aggregate   { return newWindows(windowSize, hopAdvance, grace) }
func bySession(grace int64) aggregate { return newSessions(sessionGap, grace) }
func perKey(int64) aggregate          { return totals{} }

func (c *Check) aggregateInput(ctx context.Context, v *Verdict, agg aggregate) error {
	return c.readInput(ctx, v, c.Inputs[0], func(r *kgo.Record, id uint64) {
		if agg.add(r.Partition, id, r.Timestamp.UnixMilli()) {
			v.Late++
		}
	}, func(r *kgo.Record) {
		agg.flush(r.Partition, r.Timestamp.UnixMilli())
	})
}

func malformed(v *Verdict, r *kgo.Record) {
	v.fail(&v.Malformed, "malformed: partition %d offset %d key %x value %x", r.Partition, r.Offset, r.Key, r.Value)
}

// countCheck checks an aggregate in update mode.
func countCheck(build func(grace int64) aggregate) func(context.Context, *Check, *Verdict) error {
	return func(ctx context.Context, c *Check, v *Verdict) error {
		agg := build(c.Grace)
		if err := c.aggregateInput(ctx, v, agg); err != nil {
			return err
		}
		last := make(map[outKey]int64)
		err := c.readSink(ctx, v, func(r *kgo.Record) {
			k, ok := parseOutKey(r.Key, agg.keyInts())
			switch {
			case !ok || (r.Value != nil && len(r.Value) != countSize):
				malformed(v, r)
			case r.Value == nil:
				delete(last, k)
			default:
				last[k] = be64(r.Value)
			}
		})
		if err != nil {
			return err
		}
		compareLast(v, agg, last)
		return nil
	}
}

// compareLast compares the last value of each key; it empties last.
func compareLast(v *Verdict, agg aggregate, last map[outKey]int64) {
	agg.each(func(k outKey, n int64) {
		got, ok := last[k]
		switch {
		case !ok:
			v.fail(&v.Missing, "missing: %v = %d", k, n)
		case got != n:
			v.fail(&v.Wrong, "wrong: %v = %d, truth %d", k, got, n)
		default:
			v.Passed++
		}
		delete(last, k)
	})
	for k, n := range last {
		v.fail(&v.Unexpected, "unexpected: %v = %d", k, n)
	}
}

// finalCheck checks an aggregate in final mode.
func finalCheck(build func(grace int64) aggregate) func(context.Context, *Check, *Verdict) error {
	return func(ctx context.Context, c *Check, v *Verdict) error {
		agg := build(c.Grace)
		if err := c.aggregateInput(ctx, v, agg); err != nil {
			return err
		}
		seen := make(map[outKey]bool)
		err := c.readSink(ctx, v, func(r *kgo.Record) {
			k, ok := parseOutKey(r.Key, agg.keyInts())
			if !ok || len(r.Value) != countSize {
				malformed(v, r)
				return
			}
			compareFinal(v, agg, k, be64(r.Value), seen[k])
			seen[k] = true
		})
		if err != nil {
			return err
		}
		agg.each(func(k outKey, n int64) {
			if !seen[k] && agg.closedFor(k) >= c.Slack {
				v.fail(&v.Missing, "missing: %v = %d", k, n)
			}
		})
		return nil
	}
}

func compareFinal(v *Verdict, agg aggregate, k outKey, got int64, seen bool) {
	n, ok := agg.row(k)
	switch {
	case seen:
		v.fail(&v.Duplicate, "duplicate: %v = %d", k, got)
	case !ok:
		v.fail(&v.Unexpected, "unexpected: %v = %d", k, got)
	case agg.closedFor(k) < 0:
		v.fail(&v.Unexpected, "unexpected, the window is still open: %v = %d", k, got)
	case got != n:
		v.fail(&v.Wrong, "wrong: %v = %d, truth %d", k, got, n)
	default:
		v.Passed++
	}
}
