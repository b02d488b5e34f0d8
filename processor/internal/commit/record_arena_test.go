package commit

import (
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/millrace/millrace/processor/internal/graph"
)

// Records keep their address while the arena grows, and leave nothing behind.
func TestRecordArena(t *testing.T) {
	var s recordArena
	var all []*kgo.Record
	headers := []graph.Header{{Key: "h", Value: []byte("v")}}
	for i := range arenaRecords + 10 {
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

func TestRecordArenaAllocatesNothingTwice(t *testing.T) {
	var s recordArena
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
