package stream

import (
	"github.com/millrace/millrace/processor/internal/graph"
	"github.com/millrace/millrace/windowing"
)

// Headers of a late record, in decimal milliseconds: the bounds of the last
// window it belongs to and the watermark it was judged by, since epoch; and by
// how much it was late, the watermark less the one at which that window had
// closed. Late by 0 is also what idleness made late: the window closed by the
// time of other partitions.
const (
	HeaderLateWindowStart = "__millrace.late.window.start"
	HeaderLateWindowEnd   = "__millrace.late.window.end"
	HeaderLateWatermark   = "__millrace.late.watermark"
	HeaderLateBy          = "__millrace.late.by"
)

// lateHeaders describes a record of this time that was late at a watermark, and
// says by how many ms.
func lateHeaders(windows windowing.Definition, at, watermark windowing.EventTime) (headers []graph.Header, by int64) {
	headers = []graph.Header{decimal(HeaderLateWatermark, watermark)}
	win, ok := windows.Latest(at)
	if !ok {
		return headers, 0
	}
	if due := closes(windows, win); watermark > due {
		by = int64(watermark - due)
	}
	return append(headers, decimal(HeaderLateWindowStart, win.Start), decimal(HeaderLateWindowEnd, win.End), decimal(HeaderLateBy, windowing.EventTime(by))), by
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
