package restore

import (
	"bytes"
	"encoding/binary"
	"testing"
)

// headOf is the head of a record batch with so many records of room, and so
// many in it.
func headOf(first, lastDelta, count int) []byte {
	b := make([]byte, 61)
	binary.BigEndian.PutUint64(b, uint64(first))
	binary.BigEndian.PutUint32(b[8:], uint32(len(b)-12))
	binary.BigEndian.PutUint32(b[23:], uint32(lastDelta))
	binary.BigEndian.PutUint32(b[57:], uint32(count))
	return b
}

// Compaction leaves batches without records; positions step over them.
func TestSkipEmptyBatches(t *testing.T) {
	for _, tt := range []struct {
		name    string
		batches [][]byte
		want    int64
	}{
		{"nothing", nil, 10},
		{"one empty batch", [][]byte{headOf(10, 4, 0)}, 15},
		{"two", [][]byte{headOf(10, 4, 0), headOf(20, 0, 0)}, 21},
		{"up to one with records", [][]byte{headOf(10, 4, 0), headOf(15, 2, 1)}, 15},
		{"a torn one", [][]byte{headOf(10, 4, 0), headOf(15, 2, 0)[:30]}, 15},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := skipEmpty(bytes.Join(tt.batches, nil), 10); got != tt.want {
				t.Errorf("got %d, want %d", got, tt.want)
			}
		})
	}
}
