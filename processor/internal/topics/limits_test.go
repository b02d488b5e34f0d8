package topics

import (
	"math"
	"testing"

	"github.com/millrace/millrace/processor/internal/graph"
)

// TestWhatSettingsSay of what a topic takes.
func TestWhatSettingsSay(t *testing.T) {
	const most = math.MaxInt64
	for name, c := range map[string]struct {
		settings map[string]string
		want     graph.Limits
	}{
		"nothing": {nil, graph.Limits{MaxBytes: defaultBatch, Before: most, After: most}},
		"the defaults of Kafka 4": {
			map[string]string{configMaxBytes: "1048588", configTimestampType: createTime, configTimestampAfter: "3600000", configTimestampBefore: "9223372036854775807", configCleanup: "delete"},
			graph.Limits{MaxBytes: 1048588, Before: most, After: 3_600_000},
		},
		"the broker's time": {
			map[string]string{configTimestampType: "LogAppendTime", configTimestampAfter: "3600000"},
			graph.Limits{MaxBytes: defaultBatch, Before: most, After: most},
		},
		"an older broker": {
			map[string]string{configTimestampType: createTime, configTimestampApart: "5000"},
			graph.Limits{MaxBytes: defaultBatch, Before: 5000, After: 5000},
		},
		"old and new": {
			map[string]string{configTimestampType: createTime, configTimestampApart: "5000", configTimestampAfter: "7000", configTimestampBefore: "9223372036854775807"},
			graph.Limits{MaxBytes: defaultBatch, Before: 5000, After: 7000},
		},
		"compacted": {
			map[string]string{configCleanup: "delete,compact"},
			graph.Limits{MaxBytes: defaultBatch, Before: most, After: most, Compacted: true},
		},
	} {
		if got := takes(c.settings); got != c.want {
			t.Errorf("%s: %+v, want %+v", name, got, c.want)
		}
	}
}

// TestChangedSettingsReachTasksAndClients, and are told from the same ones.
func TestChangedSettingsReachTasksAndClients(t *testing.T) {
	l := newLimits()
	l.set("out", map[string]string{configMaxBytes: "1000"})
	task := l.topics["out"]
	if l.Change("out", map[string]string{configMaxBytes: "1000"}) {
		t.Error("the same settings count as changed")
	}
	if !l.Change("out", map[string]string{configMaxBytes: "2000"}) || task.MaxBytes != 2000 || l.LargestBatch("out") != 2000 {
		t.Errorf("the task knows %d, the client %d", task.MaxBytes, l.LargestBatch("out"))
	}
	if l.Change("other", nil) || l.LargestBatch("other") != defaultBatch {
		t.Error("a topic that nobody writes")
	}
}
