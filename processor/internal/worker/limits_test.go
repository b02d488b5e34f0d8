package worker

import (
	"math"
	"testing"
	"time"

	"github.com/millrace/millrace/processor/internal/graph"
	"github.com/millrace/millrace/windowing"
)

// TestWhatSettingsSay of what a topic takes.
func TestWhatSettingsSay(t *testing.T) {
	const most = math.MaxInt64
	for name, c := range map[string]struct {
		settings map[string]string
		want     graph.Limits
	}{
		"nothing": {nil, graph.Limits{MaxBytes: producerBatch, Before: most, After: most}},
		"the defaults of Kafka 4": {
			map[string]string{configMaxBytes: "1048588", configTimestampType: createTime, configTimestampAfter: "3600000", configTimestampBefore: "9223372036854775807", configCleanup: "delete"},
			graph.Limits{MaxBytes: 1048588, Before: most, After: 3_600_000},
		},
		"the broker's time": {
			map[string]string{configTimestampType: "LogAppendTime", configTimestampAfter: "3600000"},
			graph.Limits{MaxBytes: producerBatch, Before: most, After: most},
		},
		"an older broker": {
			map[string]string{configTimestampType: createTime, configTimestampApart: "5000"},
			graph.Limits{MaxBytes: producerBatch, Before: 5000, After: 5000},
		},
		"old and new": {
			map[string]string{configTimestampType: createTime, configTimestampApart: "5000", configTimestampAfter: "7000", configTimestampBefore: "9223372036854775807"},
			graph.Limits{MaxBytes: producerBatch, Before: 5000, After: 7000},
		},
		"compacted": {
			map[string]string{configCleanup: "delete,compact"},
			graph.Limits{MaxBytes: producerBatch, Before: most, After: most, Compacted: true},
		},
	} {
		if got := takes(c.settings); got != c.want {
			t.Errorf("%s: %+v, want %+v", name, got, c.want)
		}
	}
}

// TestTheStartWarnsOfBoundsThatDoNotFit: of a source that believes more than its
// sink takes, and of windows that end later, in a bounded run.
func TestTheStartWarnsOfBoundsThatDoNotFit(t *testing.T) {
	const hour = 3_600_000
	for name, c := range map[string]struct {
		after   int64
		bounded bool
		clamped bool
		want    int
	}{
		"wide":            {after: 25 * hour, bounded: true},
		"narrow":          {after: hour, want: 1},
		"narrow at ends":  {after: hour, bounded: true, want: 2},
		"clamped at ends": {after: hour, bounded: true, clamped: true},
	} {
		b := graph.NewBuilder("test")
		in := b.Add(graph.Node{Name: "source:in", Kind: graph.SourceNode, Topic: "in", Watermarks: windowing.Ascending()})
		op := b.Add(graph.Node{Name: "days", Kind: graph.OperatorNode, Windows: windowing.Tumbling(24 * time.Hour).Emit(windowing.OnClose)}, graph.Edge{From: in})
		b.Add(graph.Node{Name: "sink:out", Kind: graph.SinkNode, Topic: "out", Clamped: c.clamped}, graph.Edge{From: op})
		g, err := b.Build()
		if err != nil {
			t.Fatal(err)
		}
		var warnings []error
		w := &Worker{catalog: &catalog{limits: newLimits()}, cfg: Config{
			Graph: g, Now: func() time.Time { return time.UnixMilli(3 * hour) }, Events: Events{Warning: func(err error) { warnings = append(warnings, err) }},
		}}
		if c.bounded {
			w.cfg.Bounded = &BoundedRun{"run"}
		}
		w.catalog.topics["out"] = &graph.Limits{After: c.after}
		if w.warnOfBounds(); len(warnings) != c.want {
			t.Errorf("%s: %v", name, warnings)
		}
	}
}

// TestChangedSettingsReachTasksAndClients, and are told from the same ones.
func TestChangedSettingsReachTasksAndClients(t *testing.T) {
	l := newLimits()
	l.set("out", map[string]string{configMaxBytes: "1000"})
	task := l.topics["out"]
	if l.change("out", map[string]string{configMaxBytes: "1000"}) {
		t.Error("the same settings count as changed")
	}
	if !l.change("out", map[string]string{configMaxBytes: "2000"}) || task.MaxBytes != 2000 || l.largestBatch("out") != 2000 {
		t.Errorf("the task knows %d, the client %d", task.MaxBytes, l.largestBatch("out"))
	}
	if l.change("other", nil) || l.largestBatch("other") != producerBatch {
		t.Error("a topic that nobody writes")
	}
}
