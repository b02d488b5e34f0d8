package worker

import (
	"testing"
	"time"
)

// A slab keeps the memory of a full commit for the next one, and of a larger one no
// more than that.
func TestSlabKeepsAFullCommit(t *testing.T) {
	var cfg Config
	cfg.setDefaults()
	fill := func(s *slab, n int) {
		for range n {
			s.add("out", 0, time.Time{}, nil, nil, nil)
		}
		s.reset()
	}
	s := new(slab)
	fill(s, cfg.CommitRecords)
	if got := len(s.pieces) * slabRecords; got < cfg.CommitRecords {
		t.Errorf("room for %d records is left of a commit of %d", got, cfg.CommitRecords)
	}
	fill(s, 2*cfg.CommitRecords)
	for i, piece := range s.pieces[:cap(s.pieces)] {
		if i >= slabPiecesKept && piece != nil {
			t.Fatalf("piece %d of a commit that is over is still in memory", i)
		}
	}
	if s.n != 0 || len(s.pieces) != slabPiecesKept {
		t.Errorf("%d records in %d pieces", s.n, len(s.pieces))
	}
}
