package workload

import (
	"encoding/binary"
	"fmt"
	"time"
)

// A flush record is the last record of a partition. It lies so far ahead in
// event time that it closes every window of the data, whatever a contender does
// at the end of its input. It is no data: the checkers let it move the stream
// time, count it nowhere and ignore every sink row of its key.
//
// Its key is the greatest key id of its partition, so that it obeys the
// partitioner like any other record. Its amount is 0, so that map drops it.

// flushIDs is the first key id kept for flush records; data has ids below 1<<63.
const flushIDs = 1<<64 - 1<<16

// IsFlush reports whether a key id is one of the flush records'.
func IsFlush(id uint64) bool { return id >= flushIDs }

// isFlushRow reports whether a sink row, of whatever workload, is of a flush key.
func isFlushRow(key []byte) bool {
	if len(key) < KeySize {
		return false
	}
	id, ok := ParseKey(key[:KeySize])
	return ok && IsFlush(id)
}

// flushKeys returns the key of each partition's flush record.
func flushKeys(partitions int) ([][KeySize]byte, error) {
	keys := make([][KeySize]byte, partitions)
	left := partitions
	for id := ^uint64(0); left > 0; id-- {
		if !IsFlush(id) {
			return nil, fmt.Errorf("workload: no flush keys for %d partitions", partitions)
		}
		var key [KeySize]byte
		PutKey(&key, id)
		if p := PartitionOf(key[:], partitions); keys[p][0] == 0 {
			keys[p] = key
			left--
		}
	}
	return keys, nil
}

// Input is the content of an input topic: the generator's records 0..n-1 and, on
// demand, the flush record of partition p as number n+p. It is immutable.
type Input struct {
	gen        *Gen
	n          int64
	partitions int
	flush      int64 // ms from the last record's event time to the flush records'
	flushKeys  [][KeySize]byte
}

// NewInput describes a topic with n records in the given number of partitions.
// With flush above 0, which must be whole milliseconds, each partition ends with
// a flush record that far after the last event time.
func NewInput(gen *Gen, n int64, partitions int, flush time.Duration) (*Input, error) {
	switch {
	case n < 0 || partitions < 1:
		return nil, fmt.Errorf("workload: %d records in %d partitions, want at least 0 in 1", n, partitions)
	case flush < 0 || flush%time.Millisecond != 0:
		return nil, fmt.Errorf("workload: flush %v is not a whole number of milliseconds from 0 up", flush)
	}
	in := &Input{gen: gen, n: n, partitions: partitions, flush: flush.Milliseconds()}
	if flush == 0 {
		return in, nil
	}
	var err error
	in.flushKeys, err = flushKeys(partitions)
	return in, err
}

// Total is the number of records with the flush records.
func (in *Input) Total() int64 { return in.n + int64(len(in.flushKeys)) }

// Record is Gen.Record for all of the topic's records, seq in [0, Total).
func (in *Input) Record(seq int64, key *[KeySize]byte, value []byte) (ts int64) {
	ts = in.gen.Record(seq, key, value)
	if seq < in.n {
		return ts
	}
	*key = in.flushKeys[seq-in.n]
	binary.BigEndian.PutUint64(value, 0)
	return in.gen.time(max(in.n-1, 0)) + in.flush
}
