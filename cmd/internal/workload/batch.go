package workload

import (
	"encoding/binary"
	"hash/crc32"
)

// A batch encodes one uncompressed Kafka record batch (magic 2) without
// producer id. The loader encodes its batches itself instead of leaving it to a
// producer client: that is several times faster, and it also fixes the batch
// boundaries, so that every contender reads not only the same records but the
// same batches.
type batch struct {
	buf    []byte
	n      int32
	baseTs int64
	maxTs  int64
}

const batchHeader = 61

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func (b *batch) add(ts int64, key, value []byte) {
	if b.n == 0 {
		b.buf = append(b.buf[:0], make([]byte, batchHeader)...)
		b.baseTs, b.maxTs = ts, ts
	}
	b.maxTs = max(b.maxTs, ts)

	tsDelta, offsetDelta := ts-b.baseTs, int64(b.n)
	size := 1 + varintSize(tsDelta) + varintSize(offsetDelta) +
		varintSize(int64(len(key))) + len(key) +
		varintSize(int64(len(value))) + len(value) + 1
	p := binary.AppendVarint(b.buf, int64(size))
	p = append(p, 0) // attributes
	p = binary.AppendVarint(p, tsDelta)
	p = binary.AppendVarint(p, offsetDelta)
	p = binary.AppendVarint(p, int64(len(key)))
	p = append(p, key...)
	p = binary.AppendVarint(p, int64(len(value)))
	p = append(p, value...)
	b.buf = append(p, 0) // headers
	b.n++
}

// seal completes the header and returns the encoded batch, which is valid until
// the next add. The batch is then empty.
func (b *batch) seal() []byte {
	h, be := b.buf, binary.BigEndian
	be.PutUint64(h[0:], 0)                   // base offset, assigned by the broker
	be.PutUint32(h[8:], uint32(len(h)-12))   // length of what follows
	be.PutUint32(h[12:], 0xffffffff)         // partition leader epoch
	h[16] = 2                                // magic
	be.PutUint16(h[21:], 0)                  // attributes: no compression, CreateTime
	be.PutUint32(h[23:], uint32(b.n-1))      // last offset delta
	be.PutUint64(h[27:], uint64(b.baseTs))   //
	be.PutUint64(h[35:], uint64(b.maxTs))    //
	be.PutUint64(h[43:], 0xffffffffffffffff) // producer id: none
	be.PutUint16(h[51:], 0xffff)             // producer epoch
	be.PutUint32(h[53:], 0xffffffff)         // base sequence
	be.PutUint32(h[57:], uint32(b.n))        // records
	be.PutUint32(h[17:], crc32.Checksum(h[21:], castagnoli))
	b.n = 0
	return h
}

func varintSize(v int64) int {
	u := uint64(v<<1) ^ uint64(v>>63)
	n := 1
	for ; u >= 0x80; u >>= 7 {
		n++
	}
	return n
}
