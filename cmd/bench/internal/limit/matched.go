package limit

import (
	"bytes"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

const (
	// framing is what a small record takes in a batch beside key and value, in bytes. Its
	// length takes a byte more above longRecord, that of its value above longValue.
	framing    = 8
	longRecord = 64
	longValue  = 88
	// matchedKey is the most bytes of a matched record that are its key.
	matchedKey = 16
	// maxMatchedBytes bounds a matched record.
	maxMatchedBytes = 1 << 20
	// maxMatchedPerRecord and maxMatchedPerCommit bound what is produced.
	maxMatchedPerRecord = 1_000
	maxMatchedPerCommit = 10_000_000
)

// Matched is what a processor writes, as averages of one of its runs: L3 does the same
// input and output and nothing else. The part per record goes with the records consumed,
// the part per commit is the same at each commit, over all partitions with input together.
// Outputs per record are produced as the input comes; outputs per commit and all entries
// of the changelog at the commit, when a processor that encodes each dirty key once can
// first know them.
type Matched struct {
	// Topic is the changelog, made anew with the input's partitions.
	Topic string
	// Numbers of records.
	OutputsPerRecord, ChangelogPerRecord float64
	OutputsPerCommit, ChangelogPerCommit float64
	// OutputBytes and ChangelogBytes are the size of one record as encoded.
	OutputBytes, ChangelogBytes int
}

func (m Matched) validate() error {
	var errs []error
	for _, n := range []float64{m.OutputsPerRecord, m.ChangelogPerRecord} {
		if !(n >= 0 && n <= maxMatchedPerRecord) {
			errs = append(errs, fmt.Errorf("limit: %v records per record, want 0 to %d", n, maxMatchedPerRecord))
		}
	}
	for _, n := range []float64{m.OutputsPerCommit, m.ChangelogPerCommit} {
		if !(n >= 0 && n <= maxMatchedPerCommit) {
			errs = append(errs, fmt.Errorf("limit: %v records per commit, want 0 to %d", n, maxMatchedPerCommit))
		}
	}
	for _, n := range []int{m.OutputBytes, m.ChangelogBytes} {
		if n < framing || n > maxMatchedBytes {
			errs = append(errs, fmt.Errorf("limit: records of %d bytes, want %d to %d as encoded", n, framing, maxMatchedBytes))
		}
	}
	if m.Topic == "" {
		errs = append(errs, errors.New("limit: no changelog topic"))
	}
	return errors.Join(errs...)
}

// matched is the outflow of L3. Fractions of a record are carried over.
type matched struct {
	Matched
	out     string
	shares  []share // by partition
	payload []byte  // what all keys and values are cut from
}

// A share is what is owed to one partition.
type share struct {
	outputs, changelog float64
	touched            bool      // by the interval
	at                 time.Time // timestamp of the last record consumed
}

func newMatched(out string, m Matched, partitions int) *matched {
	size := max(m.OutputBytes, m.ChangelogBytes)
	return &matched{Matched: m, out: out, shares: make([]share, partitions), payload: bytes.Repeat([]byte{'m'}, size)}
}

func (m *matched) consumed(partition int32, records []*kgo.Record, send func(*kgo.Record)) {
	s, n := &m.shares[partition], float64(len(records))
	s.touched, s.at = true, records[len(records)-1].Timestamp
	s.outputs += n * m.OutputsPerRecord
	s.changelog += n * m.ChangelogPerRecord
	m.emit(m.out, partition, m.OutputBytes, whole(&s.outputs), send)
}

func (m *matched) cut(send func(*kgo.Record)) {
	var touched float64
	for i := range m.shares {
		if m.shares[i].touched {
			touched++
		}
	}
	for i := range m.shares {
		s, p := &m.shares[i], int32(i)
		if !s.touched {
			continue
		}
		s.touched = false
		s.outputs += m.OutputsPerCommit / touched
		s.changelog += m.ChangelogPerCommit / touched
		m.emit(m.out, p, m.OutputBytes, whole(&s.outputs), send)
		m.emit(m.Topic, p, m.ChangelogBytes, whole(&s.changelog), send)
	}
}

// whole takes the whole records out of what is owed.
func whole(owed *float64) int {
	const almost = 1e-6 // ten times a tenth is a whole
	n := int(*owed + almost)
	*owed -= float64(n)
	return n
}

// payloadOf is how many bytes of key and value a record of that encoded size has.
func payloadOf(size int) int {
	switch {
	case size > longValue:
		return size - framing - 2
	case size > longRecord:
		return size - framing - 1
	}
	return size - framing
}

func (m *matched) emit(topic string, partition int32, size, n int, send func(*kgo.Record)) {
	payload := m.payload[:payloadOf(size)]
	key, value := payload[:min(matchedKey, len(payload))], payload[min(matchedKey, len(payload)):]
	slab := make([]kgo.Record, n)
	for i := range slab {
		slab[i] = kgo.Record{Topic: topic, Partition: partition, Key: key, Value: value, Timestamp: m.shares[partition].at}
		send(&slab[i])
	}
}
