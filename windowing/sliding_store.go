package windowing

import (
	"encoding/binary"
	"fmt"

	"github.com/millrace/millrace/schemaregistry/serde"
	"github.com/millrace/millrace/state"
)

// Slides are the sliding windows of one key, as a store keeps them: as spans of starts that see the same records.
//
// What always holds:
//  1. Spans are in order and do not overlap; between them no record is seen. A record at t is seen from t - difference
//     (or 0) up to t, so a span begins and ends where a record enters or leaves: at one's t - difference, or at t + 1.
//     Those are the starts of the windows, and each span is the value of one.
//  2. A span that begins elsewhere, because a record was too late for what is left of there, is no window.
type Slides[A any] struct{ spans []span[A] }

type span[A any] struct {
	start, end EventTime // [start, end): windows that start in it see the same records
	time       EventTime // highest among them
	value      A
	window     bool // start is that of a window that is not closed
	changed    bool // since its value was sent, other than on time
}

// SlidingStore is the handle of the store that a SlidingAggregation works on: a key-value store, from the encoded key
// to all its windows.
func SlidingStore[A any](name string, value serde.Serde[A]) state.KV[[]byte, Slides[A]] {
	return state.KV[[]byte, Slides[A]]{Name: name, Key: serde.Bytes, Value: slidesSerde[A]{value}}
}

type slidesSerde[A any] struct{ value serde.Serde[A] }

func (s slidesSerde[A]) Bind(use serde.Use) (serde.Codec[Slides[A]], error) {
	if s.value == nil {
		return nil, fmt.Errorf("windowing: %v: SlidingStore was given no serde for the values", use)
	}
	c, err := s.value.Bind(use)
	return slidesCodec[A]{c}, err
}

const slidesPrefix = "sliding windows of "

// Format implements serde.Formatted.
func (s slidesSerde[A]) Format() string { return slidesPrefix + serde.FormatOf(s.value) }

// Reads implements serde.FormatReader.
func (s slidesSerde[A]) Reads(was string) bool {
	return serde.ReadsInner(s.value, slidesPrefix, was)
}

// slidesCodec writes the version byte and, for each span, start (8), end (8), time (8), marks (1), length (4) and
// value.
type slidesCodec[A any] struct{ value serde.Codec[A] }

const (
	slidesFormat = 1
	spanFixed    = 8 + 8 + 8 + 1 + 4
	markWindow   = 1 << 0 // beside markChanged
)

func (c slidesCodec[A]) Append(dst []byte, v Slides[A]) ([]byte, error) {
	dst = append(dst, slidesFormat)
	for i := range v.spans {
		s := &v.spans[i]
		dst = binary.BigEndian.AppendUint64(dst, uint64(s.start))
		dst = binary.BigEndian.AppendUint64(dst, uint64(s.end))
		dst = binary.BigEndian.AppendUint64(dst, uint64(s.time))
		var marks byte
		if s.window {
			marks |= markWindow
		}
		if s.changed {
			marks |= markChanged
		}
		var err error
		if dst, err = appendSized(append(dst, marks), c.value, s.value); err != nil {
			return dst, err
		}
	}
	return dst, nil
}

func (c slidesCodec[A]) Decode(src []byte) (v Slides[A], err error) {
	if len(src) == 0 || src[0] != slidesFormat {
		return v, errListFormat
	}
	for src = src[1:]; len(src) > 0; {
		if len(src) < spanFixed || src[24]&^(markWindow|markChanged) != 0 {
			return v, errListBroken
		}
		s := span[A]{
			start: EventTime(binary.BigEndian.Uint64(src)), end: EventTime(binary.BigEndian.Uint64(src[8:])),
			time:   EventTime(binary.BigEndian.Uint64(src[16:])),
			window: src[24]&markWindow != 0, changed: src[24]&markChanged != 0,
		}
		if n := len(v.spans); s.end <= s.start || n > 0 && s.start < v.spans[n-1].end {
			return v, errListBroken
		}
		if s.value, src, err = decodeSized(c.value, src[25:]); err != nil {
			return v, err
		}
		v.spans = append(v.spans, s)
	}
	return v, nil
}
