package task

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strings"

	"github.com/millrace/millrace/state"
)

// Meta is what a task keeps in the metadata of an offset commit, beside the
// offset and in the same transaction: the time of the partition, which internal
// topics belong to it and, in a bounded run, where the partition ends.
type Meta struct {
	Watermark  int64  // ms; math.MinInt64 if there is none
	Highest    int64  // ms, the highest time believed; math.MinInt64 if it is not known
	TopicID    string // of the topic that the offset belongs to, TopicIDSize bytes; empty if it is not known
	Run        string // of a bounded run; empty live
	End        int64  // the run stops before this offset
	LogicalNow int64  // what the run takes for the wall clock, ms since epoch
	Finished   bool   // the task was at its end and everything had fired
	// Notes are on the internal topics that the task writes, and on those that
	// an earlier version wrote.
	Notes []Note
	// Noted says that the version that committed knew of notes.
	Noted bool
	// Failed are the records that failed while something was away.
	Failed Failed
	// Upstream is what a partition of a repartition topic has heard of each
	// upstream task, as far as that fits into the metadata of an offset.
	Upstream []state.Upstream
	// Formats are what the records of a repartition topic are read as: first what the
	// committing version writes, then others that were met, as far as they have room.
	Formats []FormatNote
}

// ErrForeign says that an offset was committed by something else: a tool or a
// consumer that uses the same group.
var ErrForeign = errors.New("task: the offset was not committed by Millrace")

// metaPrefix marks our metadata and its version, legacyPrefix that of versions
// that knew neither notes nor topic ids.
const (
	metaPrefix   = "millrace2:"
	legacyPrefix = "millrace1:"
)

// metaLimit is the broker's default bound of an offset's metadata
// (offset.metadata.max.bytes).
const metaLimit = 4096

// TopicIDSize is the size of a topic id in bytes.
const TopicIDSize = 16

// The flags of encoded metadata.
const (
	metaBounded  = 1
	metaFinished = 2
	metaTopic    = 4
	metaTimed    = 8  // notes on what is away have times, and there is the list of what failed
	metaMore     = 16 // Failed.More
	metaFormats  = 32
)

// EncodeMeta returns m as the text of an offset commit:
//
//	watermark (8) | highest (8) | flags (1) | topic id (16) if known |
//	bounded: end (8), logical now (8), length (1) and run |
//	number of notes, notes | if something is away: what failed |
//	of a repartition topic: number of formats (1), of each hash (8), length (uvarint) and words |
//	upstream tasks (appendUpstreamWithin)
func EncodeMeta(m Meta) string {
	b := binary.BigEndian.AppendUint64(nil, uint64(m.Watermark))
	b = binary.BigEndian.AppendUint64(b, uint64(m.Highest))
	flags := byte(0)
	if m.Finished {
		flags |= metaFinished
	}
	if len(m.TopicID) == TopicIDSize {
		flags |= metaTopic
	}
	if m.Run != "" {
		flags |= metaBounded
	}
	if away(m.Notes) {
		flags |= metaTimed
		if m.Failed.More {
			flags |= metaMore
		}
	}
	if len(m.Formats) > 0 {
		flags |= metaFormats
	}
	b = append(b, flags)
	if flags&metaTopic != 0 {
		b = append(b, m.TopicID...)
	}
	if flags&metaBounded != 0 {
		b = binary.BigEndian.AppendUint64(b, uint64(m.End))
		b = binary.BigEndian.AppendUint64(b, uint64(m.LogicalNow))
		b = append(append(b, byte(len(m.Run))), m.Run...)
	}
	b = appendNotes(b, m.Notes)
	if flags&metaTimed != 0 {
		b = m.Failed.append(b)
	}
	room := base64.RawStdEncoding.DecodedLen(metaLimit - len(metaPrefix))
	upstream := appendUpstreamWithin(nil, m.Upstream, room-len(b)-formatLeast)
	if flags&metaFormats != 0 {
		b = appendFormats(b, m.Formats, room-len(b)-len(upstream))
	}
	return metaPrefix + base64.RawStdEncoding.EncodeToString(append(b, upstream...))
}

// DecodeMeta reads what EncodeMeta wrote, also that of earlier versions. Its
// error wraps ErrForeign if the text is not ours.
func DecodeMeta(s string) (Meta, error) {
	text, current := strings.CutPrefix(s, metaPrefix)
	if !current {
		var ok bool
		if text, ok = strings.CutPrefix(s, legacyPrefix); !ok {
			return Meta{}, ErrForeign
		}
	}
	b, err := base64.RawStdEncoding.Strict().DecodeString(text)
	if err != nil {
		return Meta{}, fmt.Errorf("%w: %w", ErrForeign, err)
	}
	r := metaReader{rest: b}
	m := r.meta(current)
	if r.bad {
		return Meta{}, fmt.Errorf("%w: %d bytes of metadata", ErrForeign, len(b))
	}
	return m, nil
}

// A metaReader takes fields off the front of metadata. After the first that does
// not fit it is bad and gives zeros.
type metaReader struct {
	rest []byte
	bad  bool
}

func (r *metaReader) take(n int) []byte {
	if r.bad = r.bad || n > len(r.rest); r.bad {
		return make([]byte, n)
	}
	b := r.rest[:n]
	r.rest = r.rest[n:]
	return b
}

func (r *metaReader) int64() int64 { return int64(binary.BigEndian.Uint64(r.take(8))) }

func (r *metaReader) uvarint() uint64 {
	v, n := binary.Uvarint(r.rest)
	if r.bad = r.bad || n <= 0; r.bad {
		return 0
	}
	r.rest = r.rest[n:]
	return v
}

func (r *metaReader) meta(current bool) (m Meta) {
	m.Watermark, m.Highest, m.Noted = r.int64(), math.MinInt64, current
	known := byte(metaBounded | metaFinished)
	if current {
		m.Highest = r.int64()
		known |= metaTopic | metaTimed | metaMore | metaFormats
	}
	flags := r.take(1)[0]
	r.bad = r.bad || flags&^known != 0
	m.Finished = flags&metaFinished != 0
	if flags&metaTopic != 0 {
		m.TopicID = string(r.take(TopicIDSize))
	}
	if flags&metaBounded != 0 {
		m.End, m.LogicalNow = r.int64(), r.int64()
		n := int(r.take(1)[0])
		m.Run = string(r.take(n))
		r.bad = r.bad || n == 0
	}
	upstream := decodeFormerUpstream
	if current {
		m.Notes = r.notes(flags&metaTimed != 0)
		if flags&metaTimed != 0 {
			m.Failed = r.failed()
			m.Failed.More = flags&metaMore != 0
		}
		if flags&metaFormats != 0 {
			m.Formats = r.formats()
		}
		upstream = decodeUpstream
	}
	all, ok := upstream(r.rest)
	m.Upstream, r.bad = all, r.bad || !ok
	return m
}
