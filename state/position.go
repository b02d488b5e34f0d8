package state

import (
	"encoding/binary"
	"fmt"
)

// Input is how far a task has processed one source partition.
type Input struct {
	// Topic and Partition name the source partition.
	Topic     string
	Partition int32
	// Offset is the next offset to process.
	Offset int64
	// Watermark is the partition's own watermark in ms of event time; math.MinInt64 if it has none yet.
	Watermark int64
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

// Closing says up to where the windows of a store are closed and gone, and how far the time of its operator had come.
type Closing struct {
	// Store is the name of the store.
	Store string
	// Watermark is what the operator has set: the last merged watermark, in ms of event time, or the one it passed on.
	Watermark int64
	// Below is the bound of the windows dropped: every window with start < Below is gone. math.MinInt64 if none is.
	Below int64
}

// Position is what the state of a task reflects: written into the changelog with each commit, and into the engine in
// the same atomic write as the state itself.
type Position struct {
	// Inputs are the source partitions, in the task's own order.
	Inputs []Input
	// Closings are those of the window stores, as Stores.Closings returns them.
	Closings []Closing
	// Run is the id of the bounded run the task belongs to; empty when live.
	Run string
}

// positionFormat is the version byte of an encoded position.
const positionFormat = 1

// Sizes of the fixed parts of an encoded input and closing: the least bytes one can take, which bounds how many a
// record of a given length can claim to hold.
const (
	inputFixed   = 1 + 4 + 8 + 8 + 1
	upstreamSize = 8 + 1
	closingFixed = 1 + 8 + 8
)

// Append appends the encoding of p (FORMAT.md, "Position") to dst.
func (p Position) Append(dst []byte) []byte {
	dst = append(dst, positionFormat)
	dst = appendText(dst, p.Run)
	dst = binary.AppendUvarint(dst, uint64(len(p.Inputs)))
	for _, in := range p.Inputs {
		dst = appendText(dst, in.Topic)
		dst = binary.BigEndian.AppendUint32(dst, uint32(in.Partition))
		dst = binary.BigEndian.AppendUint64(dst, uint64(in.Offset))
		dst = binary.BigEndian.AppendUint64(dst, uint64(in.Watermark))
		dst = appendUpstream(dst, in.Upstream)
	}
	dst = binary.AppendUvarint(dst, uint64(len(p.Closings)))
	for _, c := range p.Closings {
		dst = appendText(dst, c.Store)
		dst = binary.BigEndian.AppendUint64(dst, uint64(c.Watermark))
		dst = binary.BigEndian.AppendUint64(dst, uint64(c.Below))
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
		p.Inputs[i] = Input{Topic: r.text(), Partition: int32(r.uint32()), Offset: r.int64(), Watermark: r.int64()}
		p.Inputs[i].Upstream = r.upstream()
	}
	if n := r.count(closingFixed); n > 0 {
		p.Closings = make([]Closing, n)
	}
	for i := range p.Closings {
		p.Closings[i] = Closing{Store: r.text(), Watermark: r.int64(), Below: r.int64()}
	}
	if err := r.end("position"); err != nil {
		return Position{}, err
	}
	return p, nil
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
