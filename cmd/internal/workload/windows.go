package workload

// totals counts per key. Nothing ever closes.
type totals map[outKey]int64

func (t totals) add(_ int32, id uint64, _ int64) bool { t[outKey{id: id}]++; return false }
func (t totals) flush(_ int32, ts int64) int64        { return ts }
func (t totals) keyInts() int                         { return 0 }
func (t totals) row(k outKey) (int64, bool)           { n, ok := t[k]; return n, ok }
func (t totals) closedFor(outKey) int64               { return -1 }
func (t totals) each(fn func(outKey, int64)) {
	for k, n := range t {
		fn(k, n)
	}
}

// streamTimes is the stream time per input partition.
type streamTimes struct {
	time      map[int32]int64
	partition map[uint64]int32 // of each key id
}

func newStreamTimes() streamTimes {
	return streamTimes{time: map[int32]int64{}, partition: map[uint64]int32{}}
}

func (s streamTimes) observe(partition int32, id uint64, ts int64) (now int64) {
	s.partition[id] = partition
	return s.flush(partition, ts)
}

func (s streamTimes) flush(partition int32, ts int64) (now int64) {
	t, seen := s.time[partition]
	if !seen || ts > t {
		s.time[partition] = ts
		return ts
	}
	return t
}

// now is the stream time of the key's partition.
func (s streamTimes) now(id uint64) int64 { return s.time[s.partition[id]] }

// windows counts per key and hopping window; size == advance is tumbling.
type windows struct {
	streamTimes
	size, advance, grace int64
	rows                 map[outKey]int64
}

func newWindows(size, advance, grace int64) *windows {
	return &windows{newStreamTimes(), size, advance, grace, map[outKey]int64{}}
}

func (w *windows) add(partition int32, id uint64, ts int64) (late bool) {
	now := w.observe(partition, id, ts)
	late = true
	for start := ts - ts%w.advance; start > ts-w.size && start >= 0; start -= w.advance {
		if start+w.size > now-w.grace {
			w.rows[outKey{id: id, a: start}]++
			late = false
		}
	}
	return late
}

func (w *windows) row(k outKey) (int64, bool) { n, ok := w.rows[k]; return n, ok }
func (w *windows) closedFor(k outKey) int64   { return w.now(k.id) - w.grace - (k.a + w.size) }

func (w *windows) keyInts() int { return 1 }
func (w *windows) each(fn func(outKey, int64)) {
	for k, n := range w.rows {
		fn(k, n)
	}
}
