package demo

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

func TestSummaryKeepsTheBusiest(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 1))
	var all []windowRow
	var s summary
	for i := range 500 {
		r := windowRow{Key: string(rune('a' + i%7)), WindowStart: int64(i), Value: Traffic{Requests: random.Int64N(40), Bytes: random.Int64N(3)}}
		all = append(all, r)
		s.addWindow(r)
	}
	slices.SortFunc(all, byRequests)
	if !slices.Equal(s.busiest, all[:busiestShown]) {
		t.Errorf("got %v\nwant %v", s.busiest, all[:busiestShown])
	}
}

func TestSummaryCountsEveryLine(t *testing.T) {
	s := summary{loaded: 10, late: 1, dead: 2}
	s.addWindow(windowRow{Value: Traffic{Requests: 7}})
	if err := s.check(); err != nil {
		t.Error(err)
	}
	s.late++
	if err := s.check(); err == nil || !strings.Contains(err.Error(), "of 10 lines 7 are in windows, 2 late and 2 dead-lettered, 11 in all") {
		t.Errorf("a line too much: %v", err)
	}
}
