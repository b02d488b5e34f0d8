package workload

import "encoding/binary"

const hexDigits = "0123456789abcdef"

// PutKey writes %016x of a key id.
func PutKey(key *[KeySize]byte, id uint64) {
	for i := KeySize - 1; i >= 0; i-- {
		key[i] = hexDigits[id&15]
		id >>= 4
	}
}

// ParseKey is the strict inverse of PutKey.
func ParseKey(b []byte) (id uint64, ok bool) {
	if len(b) != KeySize {
		return 0, false
	}
	for _, c := range b {
		switch {
		case '0' <= c && c <= '9':
			id = id<<4 | uint64(c-'0')
		case 'a' <= c && c <= 'f':
			id = id<<4 | uint64(c-'a'+10)
		default:
			return 0, false
		}
	}
	return id, true
}

func be64(b []byte) int64 { return int64(binary.BigEndian.Uint64(b)) }

// PartitionOf is the default partitioner of the Java client: murmur2 of the key,
// made positive, modulo the number of partitions.
func PartitionOf(key []byte, partitions int) int {
	return int(murmur2(key)&0x7fffffff) % partitions
}

func murmur2(b []byte) uint32 {
	const m = 0x5bd1e995
	h := uint32(0x9747b28c) ^ uint32(len(b))
	for ; len(b) >= 4; b = b[4:] {
		k := binary.LittleEndian.Uint32(b) * m
		k = (k ^ k>>24) * m
		h = h*m ^ k
	}
	switch len(b) {
	case 3:
		h ^= uint32(b[2]) << 16
		fallthrough
	case 2:
		h ^= uint32(b[1]) << 8
		fallthrough
	case 1:
		h = (h ^ uint32(b[0])) * m
	}
	h = (h ^ h>>13) * m
	return h ^ h>>15
}
