package graph

import (
	"github.com/millrace/millrace/schemaregistry/serde"
	"github.com/millrace/millrace/state"
)

// outboxChunkBytes is the size of one chunk of an Outbox's arena: large enough
// that a chunk is seldom cut, small enough for a task with little output.
const outboxChunkBytes = 64 << 10

// outboxChunksKept bounds the chunks an Outbox keeps for the next transaction.
const outboxChunksKept = 256

// An Outbox holds what a task has to produce since its last commit. Keys and
// values are encoded straight into chunks of memory that are used again for
// later commits, so that a record costs no allocation. It belongs to one task;
// nobody else touches it.
//
// Rejected: to keep memory for one commit only. While others were pending
// slices grew anew, which took 8 % of a stateless map.
type Outbox struct {
	outs  []Out
	bytes int
	full  [][]byte // chunks in use, but for the current one
	free  [][]byte
	cur   []byte
	spare [][]Out // empty, for the commits to come
}

// A Parcel is what one commit took out of an Outbox, with the memory it lies
// in. It is not changed until it is given back.
type Parcel struct {
	Outs   []Out
	chunks [][]byte
}

// Outs returns the records in the order they were sent.
func (o *Outbox) Outs() []Out { return o.outs }

// Bytes returns the size of the keys and values held.
func (o *Outbox) Bytes() int { return o.bytes }

// Send appends a record. Its bytes must come from Append, or never change.
func (o *Outbox) Send(out Out) {
	o.bytes += len(out.Key) + len(out.Value)
	o.outs = append(o.outs, out)
}

// A Mark is how far an Outbox was filled.
type Mark struct {
	outs, bytes, full, used int
	begun                   bool // there was a current chunk
}

// Mark returns how far the outbox is filled.
func (o *Outbox) Mark() Mark {
	return Mark{outs: len(o.outs), bytes: o.bytes, full: len(o.full), used: len(o.cur), begun: o.cur != nil}
}

// Rewind takes back what was appended and sent since m; nothing was taken
// meanwhile.
func (o *Outbox) Rewind(m Mark) {
	clear(o.outs[m.outs:])
	o.outs, o.bytes = o.outs[:m.outs], m.bytes
	since := append(o.full[m.full:], o.cur)
	o.full, o.cur = o.full[:m.full], nil
	if m.begun {
		o.cur, since = since[0][:m.used], since[1:]
	}
	for _, c := range since {
		if c != nil && len(o.free) < outboxChunksKept {
			o.free = append(o.free, c[:0])
		}
	}
}

// Take empties the outbox into a parcel.
func (o *Outbox) Take() Parcel {
	p := Parcel{Outs: o.outs, chunks: o.full}
	if o.cur != nil {
		p.chunks = append(p.chunks, o.cur)
	}
	o.outs, o.bytes, o.full, o.cur = nil, 0, nil, nil
	if n := len(o.spare); n > 0 {
		o.outs, o.spare = o.spare[n-1], o.spare[:n-1]
	}
	return p
}

// GiveBack lets the outbox use a parcel's memory again; the bytes of its
// records may be overwritten from now on.
func (o *Outbox) GiveBack(p Parcel) {
	clear(p.Outs)
	if len(o.spare) < state.PendingCommits {
		o.spare = append(o.spare, p.Outs[:0])
	}
	for _, c := range p.chunks {
		if len(o.free) < outboxChunksKept {
			o.free = append(o.free, c[:0])
		}
	}
}

// Append encodes v into the outbox's memory. The result is never nil, for nil
// means null.
func Append[T any](o *Outbox, c serde.Codec[T], v T) ([]byte, error) {
	room := o.room()
	b, err := c.Append(room, v)
	if err != nil {
		return nil, err
	}
	if len(b) <= cap(room) { // in place; longer values got memory of their own
		o.cur = o.cur[:len(o.cur)+len(b)]
	}
	if b == nil {
		b = []byte{}
	}
	return b[:len(b):len(b)], nil
}

// room is the unused end of the current chunk, or of a new one when that is
// nearly full.
func (o *Outbox) room() []byte {
	const worthUsing = 512
	if cap(o.cur)-len(o.cur) < worthUsing {
		if o.cur != nil {
			o.full = append(o.full, o.cur)
		}
		if n := len(o.free); n > 0 {
			o.cur, o.free = o.free[n-1], o.free[:n-1]
		} else {
			o.cur = make([]byte, 0, outboxChunkBytes)
		}
	}
	return o.cur[len(o.cur):]
}
