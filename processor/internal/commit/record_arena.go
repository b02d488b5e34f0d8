package commit

import (
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/millrace/millrace/processor/internal/graph"
)

// arenaRecords is the number of records in one piece of an arena.
const arenaRecords = 4096

// DefaultRecords is how many records a worker processes between two commits at
// most, unless the user says otherwise.
const DefaultRecords = 200_000

// arenaPiecesKept bounds what an arena keeps for the next commit: room for the outputs
// of a full one of DefaultRecords that each have one.
const arenaPiecesKept = 49

// A recordArena holds the records of one commit. They are used again for the next
// one, so that producing allocates nothing; their addresses do not change while the
// client has them.
//
// Nobody may reuse an arena before the client has given an answer for every
// record in it. After a client was closed in the middle, it is left behind.
type recordArena struct {
	pieces  [][]kgo.Record
	n       int
	headers []kgo.RecordHeader
}

// add makes the next record. The slices are the caller's and are not copied.
func (s *recordArena) add(topic string, partition int32, at time.Time, key, value []byte, headers []graph.Header) *kgo.Record {
	if s.n == len(s.pieces)*arenaRecords {
		s.pieces = append(s.pieces, make([]kgo.Record, arenaRecords))
	}
	r := s.at(s.n)
	s.n++
	*r = kgo.Record{Topic: topic, Partition: partition, Timestamp: at, Key: key, Value: value, Headers: s.convert(headers)}
	return r
}

func (s *recordArena) convert(headers []graph.Header) []kgo.RecordHeader {
	if len(headers) == 0 {
		return nil
	}
	from := len(s.headers)
	for _, h := range headers {
		s.headers = append(s.headers, kgo.RecordHeader{Key: h.Key, Value: h.Value})
	}
	return s.headers[from:len(s.headers):len(s.headers)]
}

func (s *recordArena) at(i int) *kgo.Record { return &s.pieces[i/arenaRecords][i%arenaRecords] }

// reset forgets the records, and with them what they refer to.
func (s *recordArena) reset() {
	for i := range s.pieces {
		if used := s.n - i*arenaRecords; used > 0 {
			clear(s.pieces[i][:min(used, arenaRecords)])
		}
	}
	if len(s.pieces) > arenaPiecesKept {
		clear(s.pieces[arenaPiecesKept:])
		s.pieces = s.pieces[:arenaPiecesKept]
	}
	s.n = 0
	clear(s.headers)
	s.headers = s.headers[:0]
}
