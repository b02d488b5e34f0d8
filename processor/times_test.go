package processor

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/millrace/millrace/processor/internal/graph"
	"github.com/millrace/millrace/processor/internal/task"
	"github.com/millrace/millrace/windowing"
)

func id(sub, partition int) task.ID {
	return task.ID{Subtopology: sub, Partition: int32(partition)}
}

// timeOf is the time of a task with one operator.
func timeOf(i task.ID, operator string, at windowing.EventTime) task.TimeInfo {
	return task.TimeInfo{
		Task:   i,
		Inputs: []task.InputTime{{Topic: "in", Partition: i.Partition, Time: graph.Time{Watermark: at}}},
		Operators: []task.OperatorTime{{
			Name: operator, Arrived: graph.Time{Watermark: at}, Passed: at, Due: windowing.MaxTime, Hold: task.Hold{Upstream: -1},
		}},
	}
}

// registry checks a collector as strictly as it can be.
func registry(t *testing.T, c prometheus.Collector) *prometheus.Registry {
	t.Helper()
	reg := prometheus.NewPedanticRegistry()
	if err := reg.Register(c); err != nil {
		t.Fatal(err)
	}
	return reg
}

func TestWatermarkGauges(t *testing.T) {
	at := newTimes()
	w := newWatermarks(at)
	w.now = func() time.Time { return time.UnixMilli(10_000) }
	reg := registry(t, w)
	expect := func(want ...string) {
		t.Helper()
		families, err := reg.Gather()
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, f := range families {
			for _, m := range f.Metric {
				if f.GetName() == "millrace_watermark_lag_seconds" {
					got = append(got, fmt.Sprintf("%s/%s %v", m.Label[0].GetValue(), m.Label[1].GetValue(), m.Gauge.GetValue()))
				}
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	expect()
	at.set(0, []task.TimeInfo{timeOf(id(0, 0), "a", 4000), timeOf(id(0, 1), "a", windowing.NoTime), timeOf(id(1, 0), "b", 1500)})
	at.set(1, []task.TimeInfo{timeOf(id(0, 2), "a", 3000)})
	expect("a/0 6", "a/2 7", "b/0 8.5")
	before := at.all()
	at.leave(0, id(0, 0))
	at.leave(1, id(1, 0)) // is another worker's
	expect("a/2 7", "b/0 8.5")
	if len(before) != 4 || before[0].Task != id(0, 0) {
		t.Errorf("what was read has changed: %v", before)
	}
	at.set(1, []task.TimeInfo{timeOf(id(1, 0), "b", 500)}) // moved from worker 0, which has not said so yet
	expect("b/0 9.5")
	var many []task.TimeInfo
	for p := range maxPartitionSeries + 1 {
		many = append(many, timeOf(id(0, p), "a", windowing.EventTime(2000+p)))
	}
	at.clear()
	at.set(0, many)
	expect("a/all 8")
	at.clear()
	expect()
}

func TestLatenessHistogram(t *testing.T) {
	l := newLateness()
	l.add(&graph.Node{ID: 3, Name: "counts", Kind: graph.OperatorNode})
	l.add(&graph.Node{ID: 4, Name: "sink", Kind: graph.SinkNode})
	env := graph.NewEnv(nil)
	env.Counters, env.Policy = make([]graph.Counters, 4), &graph.ErrorPolicy{}
	for _, by := range []int64{0, 256, 257, 1 << 40} {
		env.DropLate(&graph.Node{ID: 3, Name: "counts"}, by)
	}
	if n := env.Counters[3].Dropped[graph.Late]; n != 4 {
		t.Errorf("%d dropped", n)
	}
	l.count(3, &env.Counters[3].Lateness)
	l.count(3, &env.Counters[3].Lateness)
	families, err := registry(t, l).Gather()
	if err != nil || len(families) != 1 || len(families[0].Metric) != 1 {
		t.Fatal(families, err)
	}
	h := families[0].Metric[0].Histogram
	if h.GetSampleCount() != 8 || h.GetSampleSum() != 2*(0.513+(1<<40)/1e3) {
		t.Errorf("%d records, %v s", h.GetSampleCount(), h.GetSampleSum())
	}
	for i, want := range map[int]uint64{0: 4, 1: 6, len(h.Bucket) - 1: 6} {
		if got := h.Bucket[i].GetCumulativeCount(); got != want {
			t.Errorf("%d up to %v s, want %d", got, h.Bucket[i].GetUpperBound(), want)
		}
	}
}

func TestWhyInWords(t *testing.T) {
	const at = windowing.EventTime(1_790_000_000_000)
	source := func(x graph.Time) task.InputTime { return task.InputTime{Topic: "clicks", Partition: 3, Time: x} }
	edge := func(us ...task.UpstreamTime) task.InputTime {
		return task.InputTime{Topic: "by-word", Partition: 1, Internal: true, Upstream: us}
	}
	heard := func(x graph.Time) task.UpstreamTime { return task.UpstreamTime{Time: x, Heard: true} }
	for want, c := range map[string]struct {
		in   task.InputTime
		hold task.Hold
	}{
		`held back by topic "clicks" partition 3, which is at 2026-09-21T14:13:20.000Z, idle=false`: {source(graph.Time{Watermark: at}), task.Hold{Upstream: -1}},
		`held back by topic "clicks" partition 3, which is at 2026-09-21T14:13:20.000Z, idle=false, by way of operator "first"`: {
			source(graph.Time{Watermark: at}), task.Hold{Upstream: -1, Behind: "first"},
		},
		`held back by topic "clicks" partition 3, which is at 2026-09-21T14:13:20.000Z, idle=false, and its records wait for slower inputs`: {
			task.InputTime{Topic: "clicks", Partition: 3, Time: graph.Time{Watermark: at}, Aligned: true}, task.Hold{Upstream: -1},
		},
		`held back by topic "clicks" partition 3, which is at 2026-09-21T14:13:20.000Z, idle=false, nothing has come there for 1m1s and its source has no rule for that (windowing.Watermarks.Idle)`: {
			task.InputTime{Topic: "clicks", Partition: 3, Time: graph.Time{Watermark: at}, Silent: 61_999 * time.Millisecond, Ruleless: true}, task.Hold{Upstream: -1},
		},
		`waiting for the first record of topic "clicks" partition 3, nothing has come there for 10s and its source has no rule for that (windowing.Watermarks.Idle)`: {
			task.InputTime{Topic: "clicks", Partition: 3, Time: graph.Time{Watermark: windowing.NoTime}, Silent: silentAfter, Ruleless: true}, task.Hold{Upstream: -1},
		},
		`held back by topic "clicks" partition 3, which is at 2026-09-21T14:13:20.000Z, idle=false, nothing has come there for 10s`: {
			task.InputTime{Topic: "clicks", Partition: 3, Time: graph.Time{Watermark: at}, Silent: silentAfter}, task.Hold{Upstream: -1},
		},
		`held back by topic "clicks" partition 3, which is at 2026-09-21T14:13:20.000Z, idle=false, its time follows the clock`: {
			task.InputTime{Topic: "clicks", Partition: 3, Time: graph.Time{Watermark: at}, Silent: silentAfter, Runs: true}, task.Hold{Upstream: -1},
		},
		`waiting for the first record of topic "clicks" partition 3`: {source(graph.Time{Watermark: windowing.NoTime}), task.Hold{Upstream: -1}},
		`all input is idle; the highest time counts, that of topic "clicks" partition 3, which is at 2026-09-21T14:13:20.000Z, idle=true`: {
			source(graph.Time{Watermark: at, Idle: true}), task.Hold{Upstream: -1},
		},
		`all input is at its end, topic "clicks" partition 3 at 2026-09-21T14:13:20.000Z`:                               {source(graph.Time{Watermark: at, Ended: true}), task.Hold{Upstream: -1}},
		`waiting to hear from the upstream tasks of topic "by-word" partition 1: none of them has written there yet`:    {edge(), task.Hold{Upstream: -1}},
		`waiting to hear from upstream task 1 of topic "by-word" partition 1`:                                           {edge(heard(graph.Time{}), task.UpstreamTime{}), task.Hold{Upstream: 1}},
		`waiting for upstream task 0 of topic "by-word" partition 1, which has no time yet`:                             {edge(heard(graph.Time{Watermark: windowing.NoTime})), task.Hold{}},
		`held back by upstream task 0 of topic "by-word" partition 1, which is at 2026-09-21T14:13:20.000Z, idle=false`: {edge(heard(graph.Time{Watermark: at})), task.Hold{}},
	} {
		if got := why(&task.TimeInfo{Inputs: []task.InputTime{c.in}}, c.hold); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
}

func TestLoopback(t *testing.T) {
	for given, want := range map[string]string{
		"": "", "6060": "127.0.0.1:6060", ":6060": "127.0.0.1:6060", "0.0.0.0:6060": "0.0.0.0:6060", "[::1]:0": "[::1]:0", "host:1": "host:1",
	} {
		if got := loopback(given); got != want {
			t.Errorf("%q is %q, want %q", given, got, want)
		}
	}
}
