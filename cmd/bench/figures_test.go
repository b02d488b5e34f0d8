package main

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/millrace/millrace/cmd/bench/internal/meter"
)

// The line's names are read by others: they may be added to, not changed.
func TestFiguresAreOneLine(t *testing.T) {
	f := figures{
		Workload: "tumble", Config: "M1", Records: 1_000_008, PeakMB: 81, Wall: 2.51, Complete: true, Committed: 1_000_008,
		Threads: 1, Guarantee: "eos", CommitMS: 100, Commits: 25, CPU: 2.2, GC: 0.08, Restored: 7, Restore: 0.5, RestoredRecPerS: 14,
		Contender: "millrace", Outputs: 50_000, OutputBytes: 2_050_000, Changelog: 50_025, ChangelogBytes: 1_900_000,
		CommitDelays: meter.Percentiles{P50: 9.1, P99: 22.4, Max: 30},
	}
	f.steady(meter.Steady{Seconds: 1.1, RecordsPerSec: 512_345.6, CPU: 1.23456, Broker: 0.4567, Others: 3.4})
	want := `{"workload":"tumble","config":"M1","records":1000008,"rec_per_s":512346,"cpu_s_per_mrec":1.235,"rss_mb":81,"wall_s":2.51,` +
		`"complete":true,"committed":1000008,"threads":1,"guarantee":"eos","commit_ms":100,"commits":25,"cpu_s":2.2,"gc_s":0.08,` +
		`"restored":7,"restore_s":0.5,"restore_rec_per_s":14,` +
		`"contender":"millrace","broker_cpu_s_per_mrec":0.457,"others_pct":3,"outputs":50000,"output_bytes":2050000,` +
		`"changelog":50025,"changelog_bytes":1900000,"commit_took_ms":{"p50":9.1,"p99":22.4,"max":30},"aborts":0}` + "\n"
	var got strings.Builder
	if err := f.print(&got); err != nil || got.String() != want {
		t.Errorf("%v\n got %s\nwant %s", err, got.String(), want)
	}
}

// What only some runs have is not there in others.
func TestFiguresOfLoops(t *testing.T) {
	conflicts := int64(3)
	f := figures{Checked: 5, Conflicts: &conflicts, Steps: map[string]meter.Percentiles{"flush": {P50: 1}}}
	var line strings.Builder
	if err := f.print(&line); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"commit_steps_ms":{"flush":{"p50":1,"p99":0,"max":0}}`, `"conflicts":3`, `"rows_checked":5`} {
		if !strings.Contains(line.String(), want) {
			t.Errorf("%s is not in %s", want, line.String())
		}
	}
}

// theirs are the fields of the Kafka Streams contender's line.
func theirs() []string {
	return strings.Fields("workload config records rec_per_s cpu_s_per_mrec rss_mb wall_s complete committed threads guarantee commit_ms " +
		"commits cpu_s gc_s restored restore_s restore_rec_per_s")
}

// A run and a peer are compared field by field, so no field may be left out because it
// is zero.
func TestFiguresHaveThePeersFields(t *testing.T) {
	raw, err := json.Marshal(figures{})
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]any
	if err := json.Unmarshal(raw, &got); err != nil {
		t.Fatal(err)
	}
	missing := slices.DeleteFunc(theirs(), func(name string) bool { _, ok := got[name]; return ok })
	if len(missing) > 0 {
		t.Errorf("%v are missing in %s", missing, raw)
	}
}
