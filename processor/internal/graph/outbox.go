package graph

import "github.com/millrace/millrace/schemaregistry/serde"

// outboxChunkBytes is the size of one chunk of an Outbox's arena: large enough
// that a chunk is seldom cut, small enough for a task with little output.
const outboxChunkBytes = 64 << 10

// outboxChunksKept bounds the chunks an Outbox keeps for the next transaction.
const outboxChunksKept = 256

// An Outbox holds what a task has to produce in its open transaction. Keys and
// values are encoded straight into chunks of memory that are used again for
// the next transaction, so that a record costs no allocation. It belongs to
// one task; nobody else touches it.
type Outbox struct {
	outs  []Out
	bytes int
	full  [][]byte // chunks in use, but for the current one
	free  [][]byte
	cur   []byte
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

// Reset empties the outbox; the bytes of its records may be overwritten from
// now on.
func (o *Outbox) Reset() {
	clear(o.outs)
	o.outs, o.bytes = o.outs[:0], 0
	for _, c := range o.full {
		if len(o.free) < outboxChunksKept {
			o.free = append(o.free, c[:0])
		}
	}
	o.full, o.cur = o.full[:0], o.cur[:0]
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
