package task

import (
	"encoding/binary"
	"math"
	"math/bits"
	"slices"

	"github.com/millrace/millrace/state"
)

// What a partition of a repartition topic has heard of its upstream tasks has to
// fit into the metadata of an offset, with everything else there:
//
//	count (uvarint) | width (1) | lowest (8) | ended at (8) | for each task a bit, set if it has ended | for each other task, width bytes: 0 if it was not heard, else 1 + its watermark - lowest
//
// Numbers are big-endian, the first bit is the lowest of the first byte. Example:
// three tasks at 1000, 1300 and, ended, 5000 are count 3, width 2, lowest 1000,
// ended at 5000, bits 100, and 1 and 301 in two bytes each.
//
//   - Of those that have ended only the highest watermark counts, and all of them
//     get it back.
//   - Where the room is too small the width is 0: who has ended is kept, and the
//     others are as if they were not heard.
//   - Where even that is too much, nothing is written.
//   - Up to upstreamFits tasks fit in any case. More than that say again from time
//     to time what they have said; see Task.tellsAgain.
//
// Rejected: to leave the list out where it is too long. A bounded run then
// never ended when its reader was restored, and a live reader waited until
// every upstream task had moved.
const (
	upstreamFits  = 200     // with a run's name of any length and all notes beside them
	upstreamLimit = 1 << 16 // as in a stamp
	widthLimit    = 6
	stepLimit     = 1<<(8*widthLimit) - 1 // ms, 8919 years: what is further ahead of the lowest is kept as if it were that far
	upstreamFixed = 1 + 8 + 8
)

// An upstreamForm is what the encoding of a list depends on.
type upstreamForm struct {
	lowest, ended int64
	open, width   int // tasks that have not ended; bytes for each
}

func formOf(all []state.Upstream) upstreamForm {
	f := upstreamForm{lowest: math.MaxInt64, ended: math.MinInt64}
	highest := int64(math.MinInt64)
	for _, u := range all {
		switch {
		case u.Ended:
			f.ended = max(f.ended, u.Watermark)
			continue
		case u.Watermark > math.MinInt64:
			f.lowest, highest = min(f.lowest, u.Watermark), max(highest, u.Watermark)
		}
		f.open++
	}
	if highest > math.MinInt64 {
		f.width = (bits.Len64(f.step(highest)) + 7) / 8
	}
	return f
}

// step is what stands for a watermark.
func (f *upstreamForm) step(watermark int64) uint64 {
	return min(uint64(watermark)-uint64(f.lowest), stepLimit-1) + 1
}

func (f *upstreamForm) size(n int) int {
	return len(binary.AppendUvarint(nil, uint64(n))) + upstreamFixed + (n+7)/8 + f.open*f.width
}

// appendUpstreamWithin appends as much of the list as there is room for, in bytes.
func appendUpstreamWithin(b []byte, all []state.Upstream, room int) []byte {
	f := formOf(all)
	if f.size(len(all)) > room {
		f.width = 0
	}
	if len(all) == 0 || f.size(len(all)) > room {
		return b
	}
	b = append(binary.AppendUvarint(b, uint64(len(all))), byte(f.width))
	b = binary.BigEndian.AppendUint64(b, uint64(f.lowest))
	b = binary.BigEndian.AppendUint64(b, uint64(f.ended))
	at := len(b)
	b = append(b, make([]byte, (len(all)+7)/8)...)
	for i, u := range all {
		if u.Ended {
			b[at+i/8] |= 1 << (i % 8)
			continue
		}
		step := uint64(0)
		if u.Watermark > math.MinInt64 {
			step = f.step(u.Watermark)
		}
		wide := binary.BigEndian.AppendUint64(make([]byte, 0, 8), step)
		b = append(b, wide[8-f.width:]...)
	}
	return b
}

// decodeUpstream reads what appendUpstreamWithin wrote; nothing is an empty list.
func decodeUpstream(b []byte) (all []state.Upstream, ok bool) {
	if len(b) == 0 {
		return nil, true
	}
	count, k := binary.Uvarint(b)
	if k <= 0 || count == 0 || count > upstreamLimit || len(b) < k+upstreamFixed+int(count+7)/8 || b[k] > widthLimit {
		return nil, false
	}
	f := upstreamForm{width: int(b[k]), lowest: int64(binary.BigEndian.Uint64(b[k+1:])), ended: int64(binary.BigEndian.Uint64(b[k+9:]))}
	ended := b[k+upstreamFixed:][:int(count+7)/8]
	steps := b[k+upstreamFixed+len(ended):]
	for i := range int(count) {
		u := state.Upstream{Watermark: f.ended, Ended: ended[i/8]>>(i%8)&1 == 1}
		if !u.Ended {
			if len(steps) < f.width {
				return nil, false
			}
			if u.Watermark, ok = f.watermark(steps[:f.width]); !ok {
				return nil, false
			}
			steps = steps[f.width:]
		}
		all = append(all, u)
	}
	return all, len(steps) == 0
}

// watermark is what a step stands for.
func (f *upstreamForm) watermark(step []byte) (int64, bool) {
	n := int64(0)
	for _, b := range step {
		n = n<<8 | int64(b)
	}
	if n == 0 {
		return math.MinInt64, true
	}
	return f.lowest + n - 1, n-1 <= math.MaxInt64-max(f.lowest, 0)
}

// formerUpstreamSize is that of one task in the list as it was first encoded:
// watermark (8) | ended (1).
const formerUpstreamSize = 8 + 1

// decodeFormerUpstream reads such a list.
func decodeFormerUpstream(b []byte) (all []state.Upstream, ok bool) {
	if len(b)%formerUpstreamSize != 0 {
		return nil, false
	}
	for u := range slices.Chunk(b, formerUpstreamSize) {
		if u[8] > 1 {
			return nil, false
		}
		all = append(all, state.Upstream{Watermark: int64(binary.BigEndian.Uint64(u)), Ended: u[8] == 1})
	}
	return all, true
}
