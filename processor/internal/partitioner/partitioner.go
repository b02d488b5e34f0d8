// Package partitioner chooses the partition of a record as Java clients do, so
// that what Millrace writes is co-partitioned with what any Kafka client
// writes.
package partitioner

import "encoding/binary"

// Partition returns the partition, in [0, n), for a record with this key in a
// topic of n > 0 partitions. The key's bytes are hashed as the Java client's
// default partitioner does. It does not allocate.
//
// A nil key has no place of its own and goes to partition 0; callers that want
// to spread such records choose for themselves.
func Partition(key []byte, n int32) int32 {
	if key == nil {
		return 0
	}
	return int32(murmur2(key)&0x7fffffff) % n
}

// murmur2 is the 32-bit hash of Kafka's Utils.murmur2, with its seed.
func murmur2(b []byte) uint32 {
	const (
		seed  uint32 = 0x9747b28c
		m     uint32 = 0x5bd1e995
		shift        = 24
	)
	h := seed ^ uint32(len(b))
	for ; len(b) >= 4; b = b[4:] {
		k := binary.LittleEndian.Uint32(b) * m
		k ^= k >> shift
		h = h*m ^ k*m
	}
	switch len(b) {
	case 3:
		h ^= uint32(b[2]) << 16
		fallthrough
	case 2:
		h ^= uint32(b[1]) << 8
		fallthrough
	case 1:
		h ^= uint32(b[0])
		h *= m
	}
	h ^= h >> 13
	h *= m
	return h ^ h>>15
}
