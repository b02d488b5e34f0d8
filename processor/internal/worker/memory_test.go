package worker

import (
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/millrace/millrace/processor/internal/graph"
)

// Records keep their address while the slab grows, and leave nothing behind.
func TestSlab(t *testing.T) {
	var s slab
	var all []*kgo.Record
	headers := []graph.Header{{Key: "h", Value: []byte("v")}}
	for i := range slabRecords + 10 {
		all = append(all, s.add("t", int32(i), time.UnixMilli(5), []byte("k"), nil, headers))
	}
	for i, r := range all {
		if s.at(i) != r || r.Partition != int32(i) || len(r.Headers) != 1 || r.Headers[0].Key != "h" || r.Value != nil {
			t.Fatalf("record %d: %+v", i, r)
		}
	}
	s.reset()
	if s.n != 0 || s.pieces[0][0].Key != nil || s.pieces[1][9].Topic != "" {
		t.Error("reset left something")
	}
	if r := s.add("u", 1, time.UnixMilli(6), nil, []byte("w"), nil); r != all[0] || r.Headers != nil || r.Offset != 0 {
		t.Errorf("used again: %+v", r)
	}
}

func TestSlabAllocatesNothingTwice(t *testing.T) {
	var s slab
	at := time.UnixMilli(1)
	fill := func() {
		s.reset()
		for range 1000 {
			s.add("t", 0, at, nil, nil, nil)
		}
	}
	fill()
	if n := testing.AllocsPerRun(10, fill); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// Batches come back with room for what they are asked for, and empty.
func TestMessageSlabs(t *testing.T) {
	var s messageSlabs
	for _, n := range []int{0, 1, 2, 3, 1000, 2000} {
		if b := s.take(n); len(b) != 0 || cap(b) < n {
			t.Errorf("take(%d) has length %d and room for %d", n, len(b), cap(b))
		}
	}
	b := append(s.take(3), graph.Message{Key: []byte("k")})
	s.giveBack(b)
	if b[0].Key != nil {
		t.Error("what was given back still refers to its messages")
	}
	if again := s.take(4); cap(again) != cap(b) || &again[:1][0] != &b[0] {
		t.Error("a batch that was given back is not used again")
	}
	for range 3 * slabsKept {
		s.giveBack(make([]graph.Message, 1, 8))
	}
	if n := len(s.free[3]); n != slabsKept {
		t.Errorf("%d batches are kept, want %d", n, slabsKept)
	}
}
