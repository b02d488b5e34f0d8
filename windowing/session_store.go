package windowing

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"github.com/millrace/millrace/schemaregistry/serde"
	"github.com/millrace/millrace/state"
)

// Sessions are the open sessions of one key, as a store keeps them.
//
// What always holds: they are more than the gap apart, in the order of their times.
type Sessions[A any] struct {
	open []session[A]
	// sent are windows that were sent before the last commit and are part of larger ones by now (OnCommit). Like the
	// marks of a session it is never stored, for at a commit there are none.
	sent []Window
}

type session[A any] struct {
	first, last EventTime
	value       A
	changed     bool // not sent since (OnCommit)
	known       bool // these bounds were sent (OnCommit)
}

func (s *session[A]) window() Window { return Window{Start: s.first, End: s.last} }

// reach is the range of the sessions that are within gap of ts.
func (v *Sessions[A]) reach(ts EventTime, gap int64) (from, to int) {
	to = len(v.open)
	for until := plus(ts, gap); to > 0 && v.open[to-1].first > until; {
		to--
	}
	from = to
	for since := plus(ts, -gap); from > 0 && v.open[from-1].last >= since; {
		from--
	}
	return from, to
}

// SessionStore is the handle of the store that a SessionAggregation works on: a key-value store, from the encoded key
// to all its sessions.
func SessionStore[A any](name string, value serde.Serde[A]) state.KV[[]byte, Sessions[A]] {
	return state.KV[[]byte, Sessions[A]]{Name: name, Key: serde.Bytes, Value: sessionsSerde[A]{value}}
}

type sessionsSerde[A any] struct{ value serde.Serde[A] }

func (s sessionsSerde[A]) Bind(use serde.Use) (serde.Codec[Sessions[A]], error) {
	if s.value == nil {
		return nil, fmt.Errorf("windowing: %v: SessionStore was given no serde for the values", use)
	}
	c, err := s.value.Bind(use)
	return sessionsCodec[A]{c}, err
}

// sessionsCodec writes the version byte and, for each session, first (8), last (8), length (4) and value.
type sessionsCodec[A any] struct{ value serde.Codec[A] }

const (
	listFormat   = 1
	sessionFixed = 8 + 8 + 4
)

var (
	errListFormat = errors.New("windowing: this is not a list of windows, or one that a newer version wrote")
	errListBroken = errors.New("windowing: a list of windows is cut short or out of order")
)

func (c sessionsCodec[A]) Append(dst []byte, v Sessions[A]) ([]byte, error) {
	dst = append(dst, listFormat)
	for i := range v.open {
		s := &v.open[i]
		dst = binary.BigEndian.AppendUint64(dst, uint64(s.first))
		dst = binary.BigEndian.AppendUint64(dst, uint64(s.last))
		var err error
		if dst, err = appendSized(dst, c.value, s.value); err != nil {
			return dst, err
		}
	}
	return dst, nil
}

func (c sessionsCodec[A]) Decode(src []byte) (v Sessions[A], err error) {
	if len(src) == 0 || src[0] != listFormat {
		return v, errListFormat
	}
	for src = src[1:]; len(src) > 0; {
		if len(src) < sessionFixed {
			return v, errListBroken
		}
		s := session[A]{
			first: EventTime(binary.BigEndian.Uint64(src)), last: EventTime(binary.BigEndian.Uint64(src[8:])), known: true,
		}
		if n := len(v.open); s.last < s.first || n > 0 && s.first <= v.open[n-1].last {
			return v, errListBroken
		}
		if s.value, src, err = decodeSized(c.value, src[16:]); err != nil {
			return v, err
		}
		v.open = append(v.open, s)
	}
	return v, nil
}

// appendSized writes the length of a value in 4 bytes, and the value.
func appendSized[A any](dst []byte, c serde.Codec[A], v A) ([]byte, error) {
	at := len(dst)
	dst = append(dst, 0, 0, 0, 0)
	dst, err := c.Append(dst, v)
	if err != nil {
		return dst, err
	}
	size := len(dst) - at - 4
	if size < 0 || size > math.MaxInt32 {
		return dst, fmt.Errorf("windowing: a value of %d bytes; the most is %d", size, math.MaxInt32)
	}
	binary.BigEndian.PutUint32(dst[at:], uint32(size))
	return dst, nil
}

// decodeSized reads what appendSized wrote and returns what is behind it.
func decodeSized[A any](c serde.Codec[A], src []byte) (v A, rest []byte, err error) {
	if len(src) < 4 {
		return v, nil, errListBroken
	}
	size := uint64(binary.BigEndian.Uint32(src))
	if src = src[4:]; size > uint64(len(src)) {
		return v, nil, errListBroken
	}
	v, err = c.Decode(src[:size:size])
	return v, src[size:], err
}
