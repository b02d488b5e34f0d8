package stream

import (
	"github.com/millrace/millrace/processor/internal/graph"
	"github.com/millrace/millrace/windowing"
)

// Headers of a late record, in decimal milliseconds since epoch: the bounds of
// the last window it belongs to, which for a session is the record alone, and
// the watermark of the channel it came by. That judged it, unless the time of
// other partitions was ahead because this one had been idle: then the watermark
// may be before the close of the window. A record in no window has no bounds.
const (
	HeaderLateWindowStart = "__millrace.late.window.start"
	HeaderLateWindowEnd   = "__millrace.late.window.end"
	HeaderLateWatermark   = "__millrace.late.watermark"
)

// lateHeaders describes a record of this time that was late when its channel was
// at a watermark, and says by how many ms: the watermark less the one at which its last window had
// closed. Late by 0 is also what idleness made late, for then the window closed
// by the time of other partitions.
func lateHeaders(windows windowing.Definition, at, watermark windowing.EventTime) (headers []graph.Header, by int64) {
	judged := decimal(HeaderLateWatermark, watermark)
	win, ok := windows.Latest(at)
	if !ok {
		return []graph.Header{judged}, 0
	}
	if due := closes(windows, win); watermark > due {
		by = int64(watermark - due)
	}
	return []graph.Header{decimal(HeaderLateWindowStart, win.Start), decimal(HeaderLateWindowEnd, win.End), judged}, by
}

// closes is the watermark at which the last window of a record closes.
func closes(windows windowing.Definition, last windowing.Window) windowing.EventTime {
	switch w := windows.(type) {
	case windowing.Windows:
		return w.Due(last)
	case windowing.SessionWindows:
		return w.Due(last.End)
	case windowing.SlidingWindows:
		return w.Due(last.Start)
	}
	return windowing.MaxTime
}
