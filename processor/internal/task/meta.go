package task

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/millrace/millrace/state"
)

// Meta is what a task keeps in the metadata of an offset commit, beside the
// offset and in the same transaction: the watermark of the partition and, in a
// bounded run, where the partition ends.
type Meta struct {
	Watermark  int64  // ms; math.MinInt64 if there is none
	Run        string // of a bounded run; empty live
	End        int64  // the run stops before this offset
	LogicalNow int64  // what the run takes for the wall clock, ms since epoch
	Finished   bool   // the task was at its end and everything had fired
	// Upstream is what a partition of a repartition topic has heard of each
	// upstream task, as far as that fits into the metadata of an offset.
	Upstream []state.Upstream
}

// ErrForeign says that an offset was committed by something else: a tool or a
// consumer that uses the same group.
var ErrForeign = errors.New("task: the offset was not committed by Millrace")

// metaPrefix marks our metadata and its version.
const metaPrefix = "millrace1:"

// metaLimit is the broker's default bound of an offset's metadata
// (offset.metadata.max.bytes).
const metaLimit = 4096

// The flags of encoded metadata.
const (
	metaBounded  = 1
	metaFinished = 2
	metaCompact  = 4 // upstream tasks are listed by appendUpstreamWithin, not as formerly
)

// EncodeMeta returns m as the text of an offset commit:
//
//	watermark (8) | flags (1) | bounded: end (8), logical now (8), length (1) and run | upstream tasks
func EncodeMeta(m Meta) string {
	b := binary.BigEndian.AppendUint64(nil, uint64(m.Watermark))
	flags := byte(metaCompact)
	if m.Finished {
		flags |= metaFinished
	}
	if m.Run == "" {
		b = append(b, flags)
	} else {
		b = append(b, flags|metaBounded)
		b = binary.BigEndian.AppendUint64(b, uint64(m.End))
		b = binary.BigEndian.AppendUint64(b, uint64(m.LogicalNow))
		b = append(append(b, byte(len(m.Run))), m.Run...)
	}
	b = appendUpstreamWithin(b, m.Upstream, base64.RawStdEncoding.DecodedLen(metaLimit-len(metaPrefix))-len(b))
	return metaPrefix + base64.RawStdEncoding.EncodeToString(b)
}

// DecodeMeta reads what EncodeMeta wrote. Its error wraps ErrForeign if the
// text is not ours.
func DecodeMeta(s string) (Meta, error) {
	if len(s) < len(metaPrefix) || s[:len(metaPrefix)] != metaPrefix {
		return Meta{}, ErrForeign
	}
	b, err := base64.RawStdEncoding.Strict().DecodeString(s[len(metaPrefix):])
	if err != nil {
		return Meta{}, fmt.Errorf("%w: %w", ErrForeign, err)
	}
	m, ok := decodeMeta(b)
	if !ok {
		return Meta{}, fmt.Errorf("%w: %d bytes of metadata", ErrForeign, len(b))
	}
	return m, nil
}

func decodeMeta(b []byte) (m Meta, ok bool) {
	const live, bounded = 8 + 1, 8 + 1 + 8 + 8 + 1
	if len(b) < live || b[8]&^(metaBounded|metaFinished|metaCompact) != 0 {
		return m, false
	}
	m.Watermark, m.Finished = int64(binary.BigEndian.Uint64(b)), b[8]&metaFinished != 0
	rest := b[live:]
	if b[8]&metaBounded != 0 {
		if len(b) < bounded || len(b) < bounded+int(b[bounded-1]) || b[bounded-1] == 0 {
			return m, false
		}
		m.End, m.LogicalNow = int64(binary.BigEndian.Uint64(b[9:])), int64(binary.BigEndian.Uint64(b[17:]))
		rest = b[bounded+int(b[bounded-1]):]
		m.Run = string(b[bounded : len(b)-len(rest)])
	}
	if b[8]&metaCompact != 0 {
		m.Upstream, ok = decodeUpstream(rest)
	} else {
		m.Upstream, ok = decodeFormerUpstream(rest)
	}
	return m, ok
}
