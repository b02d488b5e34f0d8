package workload

import (
	"cmp"
	"slices"
)

// sessions counts per key and session.
type sessions struct {
	streamTimes
	gap, grace int64
	rows       map[uint64][]session // by start; apart by more than gap
}

type session struct{ start, end, count int64 }

func newSessions(gap, grace int64) *sessions {
	return &sessions{newStreamTimes(), gap, grace, map[uint64][]session{}}
}

func (s *sessions) add(partition int32, id uint64, ts int64) (late bool) {
	now := s.observe(partition, id, ts)
	rows := s.rows[id]
	// rows[i:j] are the sessions the record touches.
	j := len(rows)
	for j > 0 && rows[j-1].start > ts+s.gap {
		j--
	}
	i := j
	merged := session{ts, ts, 1}
	for i > 0 && rows[i-1].end >= ts-s.gap {
		i--
		merged.start = min(merged.start, rows[i].start)
		merged.end = max(merged.end, rows[i].end)
		merged.count += rows[i].count
	}
	if merged.end < now-s.grace-s.gap {
		return true
	}
	s.rows[id] = slices.Replace(rows, i, j, merged)
	return false
}

func (s *sessions) row(k outKey) (int64, bool) {
	rows := s.rows[k.id]
	i, ok := slices.BinarySearchFunc(rows, k.b, func(r session, start int64) int { return cmp.Compare(r.start, start) })
	if !ok || rows[i].end != k.a {
		return 0, false
	}
	return rows[i].count, true
}

// A session that ends at stream time - grace - gap can still grow.
func (s *sessions) closedFor(k outKey) int64 { return s.now(k.id) - s.grace - s.gap - k.a - 1 }

func (s *sessions) keyInts() int { return 2 }
func (s *sessions) each(fn func(outKey, int64)) {
	for id, rows := range s.rows {
		for _, r := range rows {
			fn(outKey{id, r.end, r.start}, r.count)
		}
	}
}
