package commit

import (
	"testing"
	"time"
)

// An arena keeps the memory of a full commit for the next one, and of a larger one no
// more than that.
func TestRecordArenaKeepsAFullCommit(t *testing.T) {
	fill := func(s *recordArena, n int) {
		for range n {
			s.add("out", 0, time.Time{}, nil, nil, nil)
		}
		s.reset()
	}
	s := new(recordArena)
	fill(s, DefaultRecords)
	if got := len(s.pieces) * arenaRecords; got < DefaultRecords {
		t.Errorf("room for %d records is left of a commit of %d", got, DefaultRecords)
	}
	fill(s, 2*DefaultRecords)
	for i, piece := range s.pieces[:cap(s.pieces)] {
		if i >= arenaPiecesKept && piece != nil {
			t.Fatalf("piece %d of a commit that is over is still in memory", i)
		}
	}
	if s.n != 0 || len(s.pieces) != arenaPiecesKept {
		t.Errorf("%d records in %d pieces", s.n, len(s.pieces))
	}
}
