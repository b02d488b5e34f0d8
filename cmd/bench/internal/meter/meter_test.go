package meter

import (
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// A run that is slow at both ends and steady in between; the broker takes half of what
// the contender does, and something else as much as both.
func TestSteady(t *testing.T) {
	start := time.Now()
	at := func(records int64, seconds float64) reading {
		d := time.Duration(seconds * float64(time.Second))
		return reading{records: records, at: start.Add(d), cpu: d / 2, broker: d / 4, machine: d * 3 / 2}
	}
	m := Meter{BrokerPID: 1, readings: []reading{at(0, 0), at(200_000, 10), at(1_000_000, 14), at(1_000_000, 100)}}
	got := m.Steady()
	want := Steady{Seconds: 3, RecordsPerSec: 200_000, CPU: 2.5, Broker: 1.25, Others: 75}
	for i, pair := range [][2]float64{
		{got.Seconds, want.Seconds}, {got.RecordsPerSec, want.RecordsPerSec}, {got.CPU, want.CPU}, {got.Broker, want.Broker}, {got.Others, want.Others},
	} {
		if Round(pair[0], 6) != pair[1] {
			t.Errorf("figure %d of %+v, want %+v", i, got, want)
		}
	}
	m.BrokerPID = 0
	if got := m.Steady(); got.Broker != 0 || got.Others != 0 {
		t.Errorf("without a broker %+v", got)
	}
}

func TestSteadyOfNothing(t *testing.T) {
	moment := time.Now()
	for name, readings := range map[string][]reading{
		"no readings": nil,
		"one reading": {{records: 5, at: moment}},
		"no records":  {{at: moment}, {at: moment.Add(time.Second)}},
		"no time":     {{at: moment}, {records: 100, at: moment}},
	} {
		m := Meter{readings: readings}
		if got := m.Steady(); got != (Steady{}) {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

func TestStatCPU(t *testing.T) {
	for line, want := range map[string]time.Duration{
		"7 (a (b) c) S 1 7 7 0 -1 4194560 9 0 0 0 150 25 0 0 20 0": 1750 * time.Millisecond,
		"7 (gone": 0,
		"":        0,
	} {
		if got := statCPU(line); got != want {
			t.Errorf("%q: %v, want %v", line, got, want)
		}
	}
}

// The readings of this very process: what was used can only grow.
func TestUsage(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("skipped: there is no /proc but on Linux")
	}
	var m Meter
	m.BrokerPID = 1 << 30
	m.Mark(1)
	runtime.GC()
	for before := OwnCPU(); OwnCPU() == before; {
		continue // until the clock has moved
	}
	m.Mark(2)
	a, b := m.readings[0], m.readings[1]
	if b.cpu <= a.cpu || b.machine < a.machine || a.machine == 0 || a.broker != 0 || !b.at.After(a.at) {
		t.Errorf("%+v and %+v", a, b)
	}
	if PeakRSS() < 1 || GarbageCPU() <= 0 || GarbageCPU() > OwnCPU() || m.Done() != 2 {
		t.Errorf("%d MB, %v of collection, %d done", PeakRSS(), GarbageCPU(), m.Done())
	}
}

func TestDelays(t *testing.T) {
	var d Delays
	if d.Percentiles() != (Percentiles{}) {
		t.Error("of nothing")
	}
	for i := range 1000 {
		d = append(d, time.Duration(1000-i)*time.Millisecond)
	}
	if got, want := d.Percentiles(), (Percentiles{500, 990, 1000}); got != want {
		t.Errorf("%v, want %v", got, want)
	}
	if got := d.Sorted().At(99.9); got != 999 {
		t.Errorf("p99.9 %v", got)
	}
	if slices.IsSorted(d) {
		t.Error("the delays themselves were sorted")
	}
}

func TestWritten(t *testing.T) {
	var w Written
	for _, topic := range []string{"out", "a-changelog", "out", "b-changelog"} {
		w.OnProduceBatchWritten(kgo.BrokerMetadata{}, topic, 0, kgo.ProduceBatchMetrics{NumRecords: 3, UncompressedBytes: 50, CompressedBytes: 7})
	}
	for topic, want := range map[string]Volume{"out": {2, 6, 100}, "b-changelog": {1, 3, 50}, "other": {}} {
		if got := w.To(func(name string) bool { return name == topic }); got != want {
			t.Errorf("%s: %+v, want %+v", topic, got, want)
		}
	}
	if got, want := w.To(func(name string) bool { return name != "out" }), (Volume{2, 6, 100}); got != want {
		t.Errorf("all changelogs: %+v, want %+v", got, want)
	}
}
