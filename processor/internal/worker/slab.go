package worker

import (
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/millrace/millrace/processor/internal/graph"
)

// slabRecords is the number of records in one piece of a slab.
const slabRecords = 4096

// slabPiecesKept bounds what a slab keeps for the next commit: room for the outputs
// of a full one of CommitRecords that each have one.
const slabPiecesKept = 49

// A slab holds the records of one commit. They are used again for the next one,
// so that producing allocates nothing; their addresses do not change while the
// client has them.
//
// Nobody may reuse a slab before the client has given an answer for every
// record in it. After a client was closed in the middle, it is left behind.
type slab struct {
	pieces  [][]kgo.Record
	n       int
	headers []kgo.RecordHeader
}

// add makes the next record. The slices are the caller's and are not copied.
func (s *slab) add(topic string, partition int32, at time.Time, key, value []byte, headers []graph.Header) *kgo.Record {
	if s.n == len(s.pieces)*slabRecords {
		s.pieces = append(s.pieces, make([]kgo.Record, slabRecords))
	}
	r := s.at(s.n)
	s.n++
	*r = kgo.Record{Topic: topic, Partition: partition, Timestamp: at, Key: key, Value: value, Headers: s.convert(headers)}
	return r
}

func (s *slab) convert(headers []graph.Header) []kgo.RecordHeader {
	if len(headers) == 0 {
		return nil
	}
	from := len(s.headers)
	for _, h := range headers {
		s.headers = append(s.headers, kgo.RecordHeader{Key: h.Key, Value: h.Value})
	}
	return s.headers[from:len(s.headers):len(s.headers)]
}

func (s *slab) at(i int) *kgo.Record { return &s.pieces[i/slabRecords][i%slabRecords] }

// reset forgets the records, and with them what they refer to.
func (s *slab) reset() {
	for i := range s.pieces {
		if used := s.n - i*slabRecords; used > 0 {
			clear(s.pieces[i][:min(used, slabRecords)])
		}
	}
	if len(s.pieces) > slabPiecesKept {
		clear(s.pieces[slabPiecesKept:])
		s.pieces = s.pieces[:slabPiecesKept]
	}
	s.n = 0
	clear(s.headers)
	s.headers = s.headers[:0]
}
