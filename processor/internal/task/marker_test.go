package task_test

import (
	"testing"
	"time"

	"github.com/millrace/millrace/processor/internal/graph"
	"github.com/millrace/millrace/processor/stream"
	"github.com/millrace/millrace/windowing"
)

// century is a hundred years, in ms.
const century = 100 * 365 * 24 * hour

// wild is a generator that once says a watermark far from the times it was told.
type wild struct{ at, says windowing.EventTime }

func (w wild) Observe(ts windowing.EventTime) windowing.EventTime {
	if ts == w.at {
		return w.says
	}
	return ts
}

// TestWatermarksThatAreToldAreBelievedLikeRecords: what a marker or a generator
// says is believed as far as a record of that time would be; beyond that the
// record is dropped as one of the future, and the time stays.
func TestWatermarksThatAreToldAreBelievedLikeRecords(t *testing.T) {
	const now, ahead = 10_000, 1000
	for name, c := range map[string]struct {
		says windowing.EventTime
		want windowing.EventTime // behind the record that says it
		out  string
	}{
		"at the limit":            {now + ahead, now + ahead, "before marks after"},
		"beyond the limit":        {now + ahead + 1, 5100, "before after"},
		"a century ahead":         {century, 5100, "before after"},
		"the end of time":         {windowing.MaxTime, 5100, "before after"},
		"behind what holds":       {5000, 5100, "before marks after"},
		"before the first moment": {windowing.NoTime, 5100, "before marks after"},
	} {
		marked := left
		marked.Marker = func(r *stream.Record[string, string]) (time.Time, bool) {
			if r.Value == "marks" {
				return c.says.Time(), true
			}
			return r.Time.Time(), true
		}
		for kind, build := range map[string]func(b *stream.Builder){
			"marker": func(b *stream.Builder) {
				b.DeadLetter("dead", stream.Future)
				stream.To(stream.From(b, marked, stream.Watermark(windowing.Punctuated().MaxAhead(ahead*time.Millisecond))), out)
			},
			"generator": func(b *stream.Builder) {
				b.DeadLetter("dead", stream.Future)
				rule := windowing.Generated(func(windowing.EventTime) windowing.Generator { return wild{5200, c.says} })
				stream.To(stream.From(b, left, stream.Watermark(rule.MaxAhead(ahead*time.Millisecond))), out)
			},
		} {
			if kind == "marker" && (c.says == windowing.MaxTime || c.says == windowing.NoTime) {
				continue // not a time that a program can name
			}
			x := newTask(t, config(t, build))
			put := func(offset, at int64, value string) windowing.EventTime {
				feed(t, x, 0, []graph.Message{{Key: []byte("k"), Value: []byte(value), Offset: offset, Timestamp: at}})
				if _, err := x.Step(now, 1); err != nil {
					t.Fatal(err)
				}
				return x.Time().Inputs[0].Watermark
			}
			put(0, 5100, "before")
			if got := put(1, 5200, "marks"); got != c.want {
				t.Errorf("%s of a %s: the watermark is %d, want %d", name, kind, got, c.want)
			}
			if got := put(2, 5300, "after"); got != max(c.want, 5300) {
				t.Errorf("%s of a %s: behind the next record the watermark is %d", name, kind, got)
			}
			commit := prepare(t, x)
			if got := values(commit, "out"); got != c.out {
				t.Errorf("%s of a %s: got %q, want %q", name, kind, got, c.out)
			}
			if routed, dropped := values(commit, "dead"), commit.Counters[0].Dropped[graph.Future]; (routed == "marks") != (c.out == "before after") || (dropped == 1) != (routed == "marks") {
				t.Errorf("%s of a %s: routed %q, counted %d as future", name, kind, routed, dropped)
			}
		}
	}
}
