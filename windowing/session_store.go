package windowing

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/millrace/millrace/schemaregistry/serde"
	"github.com/millrace/millrace/state"
	"github.com/millrace/millrace/windowing/internal/grid"
)

// Sessions are the open sessions of one key, as a store keeps them.
//
// What always holds: they are more than the gap apart, in the order of their times.
type Sessions[A any] struct {
	open []session[A]
	// sent are windows that were sent, are part of larger ones by now, and have not been revoked yet.
	sent []Window
}

type session[A any] struct {
	first, last EventTime
	value       A
	changed     bool // since its value was sent
	known       bool // these bounds were sent, other than on time
}

func (s *session[A]) window() Window { return Window{Start: s.first, End: s.last} }

// covers reports whether a window lies in the session.
func (s *session[A]) covers(win Window) bool { return win.Start >= s.first && win.End <= s.last }

// told notes that a value was sent, and what there was to revoke before it.
func (v *Sessions[A]) told(s *session[A]) {
	s.changed, s.known = false, true
	if len(v.sent) > 0 {
		v.sent = slices.DeleteFunc(v.sent, s.covers)
	}
}

// reach is the range of the sessions that are within gap of ts.
func (v *Sessions[A]) reach(ts EventTime, gap int64) (from, to int) {
	to = len(v.open)
	for until := grid.Plus(ts, gap); to > 0 && v.open[to-1].first > until; {
		to--
	}
	from = to
	for since := grid.Plus(ts, -gap); from > 0 && v.open[from-1].last >= since; {
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

const sessionsPrefix = "sessions of "

// Format implements serde.Formatted.
func (s sessionsSerde[A]) Format() string { return sessionsPrefix + serde.FormatOf(s.value) }

// Reads implements serde.FormatReader.
func (s sessionsSerde[A]) Reads(was string) bool {
	return serde.ReadsInner(s.value, sessionsPrefix, was)
}

// sessionsCodec writes the version byte, how many windows are to be revoked (4) with the first (8) and the last time (8)
// of each, and then for each session first (8), last (8), marks (1), length (4) and value.
type sessionsCodec[A any] struct{ value serde.Codec[A] }

const (
	sessionsFormat = 2
	sessionFixed   = 8 + 8 + 1 + 4
	markKnown      = 1 << 0
	markChanged    = 1 << 1
)

var (
	errListFormat = errors.New("windowing: this is not a list of windows, or one that another version wrote")
	errListBroken = errors.New("windowing: a list of windows is cut short or out of order")
)

func (c sessionsCodec[A]) Append(dst []byte, v Sessions[A]) ([]byte, error) {
	dst = binary.BigEndian.AppendUint32(append(dst, sessionsFormat), uint32(len(v.sent)))
	for _, win := range v.sent {
		dst = binary.BigEndian.AppendUint64(dst, uint64(win.Start))
		dst = binary.BigEndian.AppendUint64(dst, uint64(win.End))
	}
	for i := range v.open {
		s := &v.open[i]
		dst = binary.BigEndian.AppendUint64(dst, uint64(s.first))
		dst = binary.BigEndian.AppendUint64(dst, uint64(s.last))
		var marks byte
		if s.changed {
			marks |= markChanged
		}
		if s.known {
			marks |= markKnown
		}
		var err error
		if dst, err = appendSized(append(dst, marks), c.value, s.value); err != nil {
			return dst, err
		}
	}
	return dst, nil
}

func (c sessionsCodec[A]) Decode(src []byte) (v Sessions[A], err error) {
	if len(src) == 0 || src[0] != sessionsFormat {
		return v, errListFormat
	}
	if v.sent, src, err = decodeSent(src[1:]); err != nil {
		return v, err
	}
	for len(src) > 0 {
		if len(src) < sessionFixed || src[16]&^(markChanged|markKnown) != 0 {
			return v, errListBroken
		}
		s := session[A]{
			first: EventTime(binary.BigEndian.Uint64(src)), last: EventTime(binary.BigEndian.Uint64(src[8:])),
			changed: src[16]&markChanged != 0, known: src[16]&markKnown != 0,
		}
		if n := len(v.open); s.last < s.first || n > 0 && s.first <= v.open[n-1].last {
			return v, errListBroken
		}
		if s.value, src, err = decodeSized(c.value, src[17:]); err != nil {
			return v, err
		}
		v.open = append(v.open, s)
	}
	return v, nil
}

// decodeSent reads the windows that are to be revoked and returns what is behind them.
func decodeSent(src []byte) (sent []Window, rest []byte, err error) {
	if len(src) < 4 {
		return nil, nil, errListBroken
	}
	n := uint64(binary.BigEndian.Uint32(src))
	if src = src[4:]; n > uint64(len(src)/boundsBytes) {
		return nil, nil, errListBroken
	}
	for ; n > 0; n-- {
		win := Window{Start: EventTime(binary.BigEndian.Uint64(src)), End: EventTime(binary.BigEndian.Uint64(src[8:]))}
		if win.End < win.Start {
			return nil, nil, errListBroken
		}
		sent, src = append(sent, win), src[boundsBytes:]
	}
	return sent, src, nil
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
