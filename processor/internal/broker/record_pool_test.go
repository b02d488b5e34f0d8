package broker

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
)

// What is put back is used again, by whoever asks for so many or a few less.
func TestRecordPool(t *testing.T) {
	var p recordPool
	for _, n := range []int{0, 1, 2, 3, 1000, 2000} {
		if got := p.GetRecords(n); len(got) < n {
			t.Errorf("asked for %d, got %d", n, len(got))
		}
	}
	b := p.GetRecords(3)
	p.PutRecords(b)
	if again := p.GetRecords(4); &again[0] != &b[0] {
		t.Error("what was put back is not used again")
	}
	for range 3 * batchesKept {
		p.PutRecords(make([]kgo.Record, 8))
	}
	if n := len(p.free[3]); n != batchesKept {
		t.Errorf("%d batches are kept, want %d", n, batchesKept)
	}
}

// Large batches are kept by their records, not by their number: catching up over
// many partitions must not leave their memory behind.
func TestRecordPoolLargeBatches(t *testing.T) {
	var p recordPool
	for range 2 * batchesKept {
		p.PutRecords(make([]kgo.Record, 1<<14))
	}
	if n := len(p.free[14]) << 14; n == 0 || n > recordsKept {
		t.Errorf("%d records are kept in large batches, want at most %d", n, recordsKept)
	}
}
