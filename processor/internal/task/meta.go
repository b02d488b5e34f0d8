package task

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
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
}

// ErrForeign says that an offset was committed by something else: a tool or a
// consumer that uses the same group.
var ErrForeign = errors.New("task: the offset was not committed by Millrace")

// metaPrefix marks our metadata and its version.
const metaPrefix = "millrace1:"

// metaRunLimit bounds the name of a run, so that metadata fits the broker's
// offset.metadata.max.bytes (4096 by default).
const metaRunLimit = 255

// EncodeMeta returns m as the text of an offset commit.
func EncodeMeta(m Meta) string {
	b := binary.BigEndian.AppendUint64(nil, uint64(m.Watermark))
	if m.Run != "" {
		b = binary.BigEndian.AppendUint64(b, uint64(m.End))
		b = binary.BigEndian.AppendUint64(b, uint64(m.LogicalNow))
		finished := byte(0)
		if m.Finished {
			finished = 1
		}
		b = append(append(b, finished), m.Run...)
	}
	return metaPrefix + base64.RawStdEncoding.EncodeToString(b)
}

// DecodeMeta reads what EncodeMeta wrote. Its error wraps ErrForeign if the
// text is not ours.
func DecodeMeta(s string) (Meta, error) {
	if len(s) < len(metaPrefix) || s[:len(metaPrefix)] != metaPrefix {
		return Meta{}, ErrForeign
	}
	b, err := base64.RawStdEncoding.DecodeString(s[len(metaPrefix):])
	if err != nil {
		return Meta{}, fmt.Errorf("%w: %w", ErrForeign, err)
	}
	const live, bounded = 8, 8 + 8 + 8 + 1
	switch {
	case len(b) == live:
		return Meta{Watermark: int64(binary.BigEndian.Uint64(b))}, nil
	case len(b) > bounded && len(b) <= bounded+metaRunLimit && b[24] <= 1:
		return Meta{
			Watermark: int64(binary.BigEndian.Uint64(b)), End: int64(binary.BigEndian.Uint64(b[8:])),
			LogicalNow: int64(binary.BigEndian.Uint64(b[16:])), Finished: b[24] == 1, Run: string(b[bounded:]),
		}, nil
	}
	return Meta{}, fmt.Errorf("%w: %d bytes of metadata", ErrForeign, len(b))
}
