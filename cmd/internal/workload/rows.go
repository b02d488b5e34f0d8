package workload

import (
	"context"
	"encoding/binary"
	"slices"

	"github.com/cespare/xxhash/v2"
	"github.com/twmb/franz-go/pkg/kgo"
)

// rowHashes is a multiset of (key, value) rows, each as a 64-bit hash: 8 bytes a
// row, and a chance of a few in a million that ten million rows hide one error.
type rowHashes []uint64

func (h *rowHashes) add(key, value []byte) {
	var size [8]byte
	binary.LittleEndian.PutUint64(size[:], uint64(len(key)))
	var d xxhash.Digest
	d.Reset()
	_, _ = d.Write(size[:]) // a Digest never fails
	_, _ = d.Write(key)
	_, _ = d.Write(value)
	*h = append(*h, d.Sum64())
}

// compareSink compares the rows of the sink with the truth as multisets.
func (c *Check) compareSink(ctx context.Context, v *Verdict, truth rowHashes) error {
	var got rowHashes
	err := c.readSink(ctx, v, func(r *kgo.Record) { got.add(r.Key, r.Value) })
	if err != nil {
		return err
	}
	slices.Sort(truth)
	slices.Sort(got)
	compareRows(v, truth, got)
	return nil
}

// compareRows merges two sorted multisets.
func compareRows(v *Verdict, truth, got rowHashes) {
	for i, j := 0, 0; i < len(truth) || j < len(got); {
		switch {
		case j == len(got) || i < len(truth) && truth[i] < got[j]:
			v.Missing++
			i++
		case i < len(truth) && truth[i] == got[j]:
			v.Passed++
			i++
			j++
		case i > 0 && truth[i-1] == got[j]:
			v.Duplicate++
			j++
		default:
			v.Unexpected++
			j++
		}
	}
}

// scaled is the map workload: it drops amount%10 == 0 and scales the amount by
// 908/1000.
func scaled(value []byte) bool {
	amount := be64(value)
	binary.BigEndian.PutUint64(value, uint64(amount*908/1000))
	return amount%10 != 0
}

// copied is for plain loops: the sink holds the input as it is.
func copied([]byte) bool { return true }

// eachCheck checks a stateless workload. fn changes the value in place and
// reports whether the record is kept.
func eachCheck(fn func(value []byte) bool) func(context.Context, *Check, *Verdict) error {
	return func(ctx context.Context, c *Check, v *Verdict) error {
		var truth rowHashes
		var value []byte
		err := c.readInput(ctx, v, c.Inputs[0], func(r *kgo.Record, _ uint64) {
			value = append(value[:0], r.Value...)
			if fn(value) {
				truth.add(r.Key, value)
			}
		}, nil)
		if err != nil {
			return err
		}
		return c.compareSink(ctx, v, truth)
	}
}
