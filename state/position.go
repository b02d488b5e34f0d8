package state

import (
	"encoding/binary"
	"fmt"
	"math"
)

// Input is how far a task has processed one source partition.
type Input struct {
	// Topic and Partition name the source partition.
	Topic     string
	Partition int32
	// TopicID is the id of the topic that the offset belongs to, as text; "" if it is not known.
	TopicID string
	// Offset is the next offset to process.
	Offset int64
	// Watermark is the partition's own watermark in ms of event time; math.MinInt64 if it has none yet.
	Watermark int64
	// Highest is the highest time believed on the partition, by which records of the future are judged; math.MinInt64
	// if it is not known. It follows from the watermark where that is not told by markers or a generator.
	Highest int64
	// Upstream is what a partition of a repartition topic has heard of each task that writes to it, by the number of
	// the task's partition. It is empty for other topics.
	Upstream []Upstream
}

// Upstream is what one upstream task last said of its time.
type Upstream struct {
	// Watermark is in ms of event time; math.MinInt64 if the task has not been heard of.
	Watermark int64
	// Ended says that the task was at the end of its bounded run.
	Ended bool
}

// Closing says up to where the windows of a store are closed, and how far the time of its operator had come.
type Closing struct {
	// Watermark is what the operator has set: the last merged watermark, in ms of event time, or the one it passed on.
	Watermark int64
	// Below is, of a window store, the bound of the windows dropped: every window with start < Below is gone. Of a
	// key-value store it is a bound that the operator has set, in ms of event time. math.MinInt64 if there is none.
	Below int64
}

// noClosing is the closing of a store that has closed nothing.
var noClosing = Closing{Watermark: math.MinInt64, Below: math.MinInt64}

// Position is what one store reflects, and what its bytes mean. It is written with each commit into the store's own
// changelog, and into the engine in the same atomic write as the state. So it does not depend on which other stores a
// version of the application has, and a store that was away for a while still says how far it had followed.
//
// Rejected: one record for all stores of a task, in the changelog of the first by name. A version that added a store
// before it found an older position there.
type Position struct {
	// Inputs are how far the task had processed its source partitions, in its own order.
	Inputs []Input
	// Run is the id of the bounded run the task belongs to; empty when live.
	Run string
	// Closing is the store's.
	Closing Closing
	// Traits are those of the store's Spec, without their Reads, as of this commit; none if a version wrote it that
	// knew none.
	Traits []Trait
}

// IsPositionKey reports whether the record of a changelog that has this key is a position.
func IsPositionKey(key []byte) bool { return len(key) == 1 && key[0] == tagPosition }

// positionFormat is the version byte of an encoded position.
const positionFormat = 2

// Sizes of the fixed parts of an encoded input and trait: the least bytes one can take, which bounds how many a record
// of a given length can claim to hold.
const (
	inputFixed   = 1 + 1 + 4 + 8 + 8 + 8 + 1
	upstreamSize = 8 + 1
	traitFixed   = 1 + 1
)

// Append appends the encoding of p (FORMAT.md, "Position") to dst.
func (p Position) Append(dst []byte) []byte {
	dst = append(dst, positionFormat)
	dst = appendText(dst, p.Run)
	dst = binary.AppendUvarint(dst, uint64(len(p.Inputs)))
	for _, in := range p.Inputs {
		dst = appendText(appendText(dst, in.Topic), in.TopicID)
		dst = binary.BigEndian.AppendUint32(dst, uint32(in.Partition))
		dst = binary.BigEndian.AppendUint64(dst, uint64(in.Offset))
		dst = binary.BigEndian.AppendUint64(dst, uint64(in.Watermark))
		dst = binary.BigEndian.AppendUint64(dst, uint64(in.Highest))
		dst = appendUpstream(dst, in.Upstream)
	}
	dst = binary.BigEndian.AppendUint64(dst, uint64(p.Closing.Watermark))
	dst = binary.BigEndian.AppendUint64(dst, uint64(p.Closing.Below))
	dst = binary.AppendUvarint(dst, uint64(len(p.Traits)))
	for _, t := range p.Traits {
		dst = appendText(appendText(dst, t.Name), t.Value)
	}
	return dst
}

// DecodePosition reads what Append wrote. The error wraps ErrNewerFormat or ErrForeign. The result does not refer
// to b.
func DecodePosition(b []byte) (Position, error) {
	if len(b) > 0 && b[0] > positionFormat {
		return Position{}, fmt.Errorf("state: position of format %d, this version knows %d: %w; upgrade Millrace",
			b[0], positionFormat, ErrNewerFormat)
	}
	r := reader{rest: b}
	if r.byte() != positionFormat {
		r.bad = true
	}
	var p Position
	p.Run = r.text()
	if n := r.count(inputFixed); n > 0 {
		p.Inputs = make([]Input, n)
	}
	for i := range p.Inputs {
		p.Inputs[i] = r.input()
	}
	p.Closing = Closing{Watermark: r.int64(), Below: r.int64()}
	if n := r.count(traitFixed); n > 0 {
		p.Traits = make([]Trait, n)
	}
	for i := range p.Traits {
		p.Traits[i] = Trait{Name: r.text(), Value: r.text()}
	}
	if err := r.end("position"); err != nil {
		return Position{}, err
	}
	return p, nil
}

func (r *reader) input() Input {
	in := Input{Topic: r.text(), TopicID: r.text(), Partition: int32(r.uint32())}
	in.Offset, in.Watermark, in.Highest = r.int64(), r.int64(), r.int64()
	in.Upstream = r.upstream()
	return in
}

func appendUpstream(dst []byte, all []Upstream) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(all)))
	for _, u := range all {
		dst = binary.BigEndian.AppendUint64(dst, uint64(u.Watermark))
		ended := byte(0)
		if u.Ended {
			ended = 1
		}
		dst = append(dst, ended)
	}
	return dst
}

func (r *reader) upstream() []Upstream {
	n := r.count(upstreamSize)
	if n == 0 {
		return nil
	}
	all := make([]Upstream, n)
	for i := range all {
		all[i].Watermark = r.int64()
		ended := r.byte()
		all[i].Ended, r.bad = ended == 1, r.bad || ended > 1
	}
	return all
}
