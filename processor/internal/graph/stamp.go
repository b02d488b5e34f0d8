package graph

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/millrace/millrace/windowing"
)

// HeaderStamp is the header in which the records of a repartition topic carry
// the time. Users never see it.
const HeaderStamp = "__millrace.time"

// A Stamp is what a record of a repartition topic says of the time: who sends
// it, how far the sender had come before this record, and by which watermark
// the record is to be judged. A control record is a stamp without a record.
//
//	| 0x02 | flags (1) | task (4) | tasks (4) | passed (8) | record (8) | format (8) |
//	if it tells its format: length (uvarint) and words | run |
//
// Numbers are big-endian two's complement, watermarks ms of event time. Version 1 has
// no format, and is read.
type Stamp struct {
	Task, Tasks int32 // the sender among all tasks of its sub-topology
	Passed      Time
	Record      windowing.EventTime
	Control     bool
	Format      FormatHash // of the record; 0 if it is not known
	// Words are those of Format, in the first record that a task sends to a
	// partition, a control record; they refer to the encoded stamp.
	Words []byte
	Run   []byte // the bounded run of the sender; empty live; refers to the encoded stamp
}

const (
	stampVersion       = 2
	stampFixed         = stampFixedVersion1 + 8
	stampVersion1      = 1
	stampFixedVersion1 = 1 + 1 + 4 + 4 + 8 + 8

	flagIdle    = 1
	flagEnded   = 2
	flagControl = 4
	flagWords   = 8
	flagsKnown  = flagIdle | flagEnded | flagControl | flagWords
)

// ErrStamp says that a record of a repartition topic was not written by an
// upstream task.
var ErrStamp = errors.New("the record has no valid " + HeaderStamp + " header, so no upstream task has written it; internal topics are not for other writers; to start the application over removes it")

// Append appends the encoding of s to dst.
func (s Stamp) Append(dst []byte) []byte {
	flags := byte(0)
	if s.Passed.Idle {
		flags |= flagIdle
	}
	if s.Passed.Ended {
		flags |= flagEnded
	}
	if s.Control {
		flags |= flagControl
	}
	if len(s.Words) > 0 {
		flags |= flagWords
	}
	dst = append(dst, stampVersion, flags)
	dst = binary.BigEndian.AppendUint32(dst, uint32(s.Task))
	dst = binary.BigEndian.AppendUint32(dst, uint32(s.Tasks))
	dst = binary.BigEndian.AppendUint64(dst, uint64(s.Passed.Watermark))
	dst = binary.BigEndian.AppendUint64(dst, uint64(s.Record))
	dst = binary.BigEndian.AppendUint64(dst, uint64(s.Format))
	if len(s.Words) > 0 {
		dst = append(binary.AppendUvarint(dst, uint64(len(s.Words))), s.Words...)
	}
	return append(dst, s.Run...)
}

// Stamps encodes stamps; it is a serde.Codec.
type Stamps struct{}

// Append implements serde.Codec.
func (Stamps) Append(dst []byte, s Stamp) ([]byte, error) { return s.Append(dst), nil }

// Decode implements serde.Codec. Run refers to src.
func (Stamps) Decode(src []byte) (Stamp, error) { return DecodeStamp(src) }

// maxTasks bounds the number of tasks a stamp may claim, so that a damaged one
// cannot make its reader allocate without end.
const maxTasks = 1 << 16

// DecodeStamp reads what Append wrote.
func DecodeStamp(b []byte) (Stamp, error) {
	if len(b) < stampFixedVersion1 || b[1]&^flagsKnown != 0 {
		return Stamp{}, ErrStamp
	}
	s := Stamp{
		Task: int32(binary.BigEndian.Uint32(b[2:])), Tasks: int32(binary.BigEndian.Uint32(b[6:])),
		Record: windowing.EventTime(binary.BigEndian.Uint64(b[18:])), Control: b[1]&flagControl != 0,
	}
	s.Passed = Time{Watermark: windowing.EventTime(binary.BigEndian.Uint64(b[10:])), Idle: b[1]&flagIdle != 0, Ended: b[1]&flagEnded != 0}
	if s.Task < 0 || s.Task >= s.Tasks || s.Tasks > maxTasks {
		return Stamp{}, fmt.Errorf("%w: task %d of %d", ErrStamp, s.Task, s.Tasks)
	}
	return s, s.decodeRest(b)
}

// decodeRest reads what versions of the encoding differ in.
func (s *Stamp) decodeRest(b []byte) error {
	switch {
	case b[0] == stampVersion1 && b[1]&flagWords == 0:
		s.Run = b[stampFixedVersion1:]
		return nil
	case b[0] != stampVersion || len(b) < stampFixed:
		return ErrStamp
	}
	s.Format, s.Run = FormatHash(binary.BigEndian.Uint64(b[stampFixedVersion1:])), b[stampFixed:]
	if b[1]&flagWords == 0 {
		return nil
	}
	n, size := binary.Uvarint(s.Run)
	if size <= 0 || n == 0 || n > uint64(len(s.Run)-size) {
		return ErrStamp
	}
	s.Words, s.Run = s.Run[size:size+int(n)], s.Run[size+int(n):]
	return nil
}

// StampOf takes the stamp off a record's headers; rest are the others.
func StampOf(headers []Header) (s Stamp, rest []Header, err error) {
	for i := len(headers) - 1; i >= 0; i-- {
		if headers[i].Key != HeaderStamp {
			continue
		}
		s, err = DecodeStamp(headers[i].Value)
		if i == len(headers)-1 {
			return s, headers[:i:i], err
		}
		return s, append(headers[:i:i], headers[i+1:]...), err
	}
	return Stamp{}, nil, ErrStamp
}
