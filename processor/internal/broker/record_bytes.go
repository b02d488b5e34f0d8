package broker

import "github.com/twmb/franz-go/pkg/kgo"

// RecordBytes is the memory that a record keeps.
func RecordBytes(r *kgo.Record) int {
	n := len(r.Key) + len(r.Value)
	for i := range r.Headers {
		n += len(r.Headers[i].Key) + len(r.Headers[i].Value)
	}
	return n
}
