package processor

import (
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/millrace/millrace/windowing"
)

// maxPartitionSeries is how many tasks of this process have time series of
// their own. Above it, each operator has one, of its slowest task.
const maxPartitionSeries = 256

// allPartitions is the partition label of a series that stands for all tasks.
const allPartitions = "all"

// watermarks exports where the time of the operators stands that act on it. The
// series are made anew for each scrape, so those of tasks that have left are
// gone. An operator that no time has reached yet has none.
type watermarks struct {
	times    *times
	now      func() time.Time
	at, late *prometheus.Desc
}

func newWatermarks(t *times) *watermarks {
	labels := []string{"node", "partition"}
	return &watermarks{
		times: t, now: time.Now,
		at: prometheus.NewDesc("millrace_watermark_timestamp_seconds",
			"The event time that has come to an operator: the lowest over what reaches it.", labels, nil),
		late: prometheus.NewDesc("millrace_watermark_lag_seconds",
			"How far the watermark of an operator is behind the wall clock.", labels, nil),
	}
}

// Describe implements prometheus.Collector.
func (w *watermarks) Describe(ch chan<- *prometheus.Desc) {
	ch <- w.at
	ch <- w.late
}

type series struct{ node, partition string }

// Collect implements prometheus.Collector.
func (w *watermarks) Collect(ch chan<- prometheus.Metric) {
	tasks := w.times.all()
	lowest := map[series]windowing.EventTime{}
	for _, t := range tasks {
		partition := allPartitions
		if len(tasks) <= maxPartitionSeries {
			partition = strconv.Itoa(int(t.Task.Partition))
		}
		for _, o := range t.Operators {
			s := series{o.Name, partition}
			if at, seen := lowest[s]; !seen || o.Arrived.Watermark < at {
				lowest[s] = o.Arrived.Watermark
			}
		}
	}
	now := float64(w.now().UnixMilli()) / 1e3
	for s, at := range lowest {
		if at == windowing.NoTime {
			continue
		}
		seconds := float64(at) / 1e3
		ch <- prometheus.MustNewConstMetric(w.at, prometheus.GaugeValue, seconds, s.node, s.partition)
		ch <- prometheus.MustNewConstMetric(w.late, prometheus.GaugeValue, now-seconds, s.node, s.partition)
	}
}
