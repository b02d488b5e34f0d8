package graph

import "github.com/millrace/millrace/windowing"

// A Record is what user code sees of one event. It is valid only during the
// call it is passed to: the operator that made it uses it again for the next
// one, so whoever keeps a record copies it. Key and Value may be kept.
//
// Time is the event time. Headers is nil where there are none.
type Record[K, V any] struct {
	Key     K
	Value   V
	Time    windowing.EventTime
	Headers *Headers
	meta    Meta
}

// Meta is what travels with a record besides what users see.
type Meta struct {
	// Key is the encoded key, as long as no operator changed the key; nil for
	// a null key and after a change.
	Key []byte
	// Watermark is the time by which the record is judged late: that of the
	// channel it came by, or what the stateful operator that made it has
	// passed.
	Watermark windowing.EventTime
	// NullKey says that the record has no key at all.
	NullKey bool
	// Tombstone says that what was sent for this key is gone. There is no
	// value: Value is the zero value, and no user function is to see it.
	Tombstone bool
}

// MetaOf gives operators access to a record's Meta.
func MetaOf[K, V any](r *Record[K, V]) *Meta { return &r.meta }

// A Receiver takes the records that arrive at a node.
type Receiver[K, V any] func(*Record[K, V]) error

// Watchable is a Receiver that can be watched, whatever it receives.
type Watchable interface {
	// Watched is the receiver of node n that sets at to n while it runs, and to what
	// it was when the record has come through. If it fails, by an error or a panic, at
	// stays: it is then the node that failed.
	Watched(n *Node, at **Node) any
}

// Watched implements Watchable.
func (receive Receiver[K, V]) Watched(n *Node, at **Node) any {
	return Receiver[K, V](func(r *Record[K, V]) error {
		from := *at
		*at = n
		if err := receive(r); err != nil {
			return err
		}
		*at = from
		return nil
	})
}

// Headers is an immutable list of record headers.
type Headers struct{ list []Header }

// NewHeaders returns the list as Headers, or nil if it is empty. The list
// belongs to the Headers from now on.
func NewHeaders(list []Header) *Headers {
	if len(list) == 0 {
		return nil
	}
	return &Headers{list: list}
}

// All returns the headers in their order. The slice must not be changed.
func (h *Headers) All() []Header {
	if h == nil {
		return nil
	}
	return h.list
}

// Last returns the value of the last header with this key, as Kafka's
// lastHeader does, and whether there is one.
func (h *Headers) Last(key string) ([]byte, bool) {
	all := h.All()
	for i := len(all) - 1; i >= 0; i-- {
		if all[i].Key == key {
			return all[i].Value, true
		}
	}
	return nil, false
}

// With returns new headers with the given ones added at the end.
func (h *Headers) With(more ...Header) *Headers {
	list := make([]Header, 0, len(h.All())+len(more))
	return NewHeaders(append(append(list, h.All()...), more...))
}

// ReuseHeaders makes h stand for list without an allocation. Only the operator
// that owns h may call it, between two records.
func ReuseHeaders(h *Headers, list []Header) *Headers {
	if len(list) == 0 {
		return nil
	}
	h.list = list
	return h
}
