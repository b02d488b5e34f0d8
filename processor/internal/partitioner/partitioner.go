// Package partitioner chooses the partition of a record as Java clients do, so
// that what Millrace writes is co-partitioned with what any Kafka client
// writes.
package partitioner

import "github.com/twmb/franz-go/pkg/kgo"

// New returns the partitioner of one task: the function gives the partition, in
// [0, n), of a record with this key in a topic of n > 0 partitions. The key's
// bytes are hashed as the Java client's default partitioner does, by the client
// library. It does not allocate, and is not safe for concurrent use.
//
// A nil key has no place of its own and goes to partition 0; callers that want
// to spread such records choose for themselves.
func New() func(key []byte, n int32) int32 {
	java, record := kgo.StickyKeyPartitioner(nil).ForTopic(""), new(kgo.Record)
	return func(key []byte, n int32) int32 {
		if key == nil {
			return 0
		}
		record.Key = key
		return int32(java.Partition(record, int(n)))
	}
}
