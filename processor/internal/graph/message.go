package graph

// A Header is one record header. The bytes of Value are never changed after
// the header was made.
type Header struct {
	Key   string
	Value []byte
}

// A Message is one consumed record as it lies in its topic. Key and Value are
// nil where the record has none, which is not the same as empty. Nobody writes
// to the bytes; they stay valid as long as something refers to them.
type Message struct {
	Key, Value []byte
	Headers    []Header
	Timestamp  int64 // ms since epoch; negative if the record carries none
	Offset     int64
}

// An Out is one record to be produced in the transaction of the task's next
// commit. The bytes belong to the task and are valid until it is told that the
// commit succeeded, or is closed.
type Out struct {
	Topic      string
	Partition  int32
	Timestamp  int64 // ms since epoch
	Key, Value []byte
	Headers    []Header
}

// An Origin says where a record came from.
type Origin struct {
	Topic     string
	Partition int32
	Offset    int64
}
