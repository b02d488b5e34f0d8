package main

import (
	"encoding/json"
	"flag"
	"io"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace/cmd/bench/internal/limit"
	"github.com/millrace/millrace/cmd/bench/internal/meter"
)

func TestLoopFlags(t *testing.T) {
	defaults := limit.Loop{
		Mode: "L0", Group: "bench-loop", Interval: 100 * time.Millisecond, Poll: 2000,
		Matched: limit.Matched{OutputBytes: 41, ChangelogBytes: 49},
		Producer: limit.Producer{
			Linger: 5 * time.Millisecond, BatchBytes: 1_000_000, Buffered: 30_000, MetadataMinAge: 10 * time.Millisecond,
			Backoff: 2 * time.Millisecond, Compression: "none",
		},
	}
	for args, want := range map[string]func(l *limit.Loop){
		"": func(*limit.Loop) {},
		"-mode L2p -in a -out b -interval 20ms -group g -poll 7 -follow -broker-pid 3": func(l *limit.Loop) {
			l.Mode, l.In, l.Out, l.Interval, l.Group, l.Poll, l.Follow, l.BrokerPID = "L2p", "a", "b", 20*time.Millisecond, "g", 7, true, 3
		},
		"-buffered 9 -linger 0 -metadata-min-age 1s -txn-backoff 3ms -batch-bytes 5 -compression lz4 -conflicts": func(l *limit.Loop) {
			l.Producer = limit.Producer{BatchBytes: 5, Buffered: 9, MetadataMinAge: time.Second, Backoff: 3 * time.Millisecond, Compression: "lz4", CountConflicts: true}
		},
		"-changelog c -outputs-per-record 0.5 -changelog-per-record 0.25 -outputs-per-commit 3 -changelog-per-commit 4 -output-bytes 50 -changelog-bytes 60": func(l *limit.Loop) {
			l.Matched = limit.Matched{
				Topic: "c", OutputsPerRecord: 0.5, ChangelogPerRecord: 0.25, OutputsPerCommit: 3, ChangelogPerCommit: 4, OutputBytes: 50, ChangelogBytes: 60,
			}
		},
	} {
		fs := flag.NewFlagSet("loop", flag.ContinueOnError)
		fs.SetOutput(io.Discard)
		var got limit.Loop
		declareLoop(fs, &got)
		if err := fs.Parse(strings.Fields(args)); err != nil {
			t.Errorf("%s: %v", args, err)
		}
		l := defaults
		want(&l)
		if !reflect.DeepEqual(got, l) {
			t.Errorf("%s:\n got %+v\nwant %+v", args, got, l)
		}
	}
}

// The loops print the line of a contender.
func TestLoopLine(t *testing.T) {
	brokers := fakeBroker(t)
	do(t, brokers, "load -topic in -n 30000 -partitions 2")
	for mode, want := range map[string]figures{
		"L0":  {Workload: "consume", Guarantee: "none"},
		"L1":  {Workload: "copy", Guarantee: "alo", Outputs: 30000},
		"L2":  {Workload: "copy", Guarantee: "eos", Outputs: 30000},
		"L2p": {Workload: "copy", Guarantee: "eos", Outputs: 30000},
		"L3":  {Workload: "matched", Guarantee: "eos", Outputs: 15000, Changelog: 7500},
	} {
		printed := do(t, brokers, "loop -mode "+mode+" -in in -out out -interval 10ms -conflicts -outputs-per-record 0.5 -changelog-per-record 0.25")
		var f figures
		if err := json.Unmarshal([]byte(printed), &f); err != nil {
			t.Fatal(err)
		}
		if f.Workload != want.Workload || f.Guarantee != want.Guarantee || f.Config != mode || f.Contender != "loop" || f.CommitMS != 10 ||
			!f.Complete || f.Records != 30000 || f.Committed != 30000 || f.Conflicts == nil {
			t.Errorf("%s: %s", mode, printed)
		}
		// A fraction of a record may be left over in each partition.
		if f.Outputs > want.Outputs || f.Outputs < want.Outputs-2 || f.Changelog > want.Changelog || f.Changelog < want.Changelog-2 {
			t.Errorf("%s: %d outputs and %d entries, want %d and %d", mode, f.Outputs, f.Changelog, want.Outputs, want.Changelog)
		}
		if steps := len(f.Steps) == 3; steps != (want.Guarantee == "eos") {
			t.Errorf("%s: steps %v", mode, f.Steps)
		}
	}
	if _, err := try(t, brokers, "loop -mode L2 -in in -out out -max-s 0.0001"); err == nil {
		t.Error("a loop without time was complete")
	}
}

func TestLatencyLine(t *testing.T) {
	var got strings.Builder
	line := latencyLine{
		Rate: 20000, Duration: 30, Warmup: 5, Sent: 600_000, Expected: 540_000, Received: 540_000, Repeated: 0, Measured: 450_000,
		P50: 59.5, P90: 101, P99: 121.2, P999: 152, Max: 183, SenderP99: 0.4, SenderP999: 1.9, SenderMax: 12, SenderOK: true,
	}
	want := `{"rate":20000,"duration_s":30,"warmup_s":5,"sent":600000,"expected":540000,"received":540000,"repeated":0,"measured":450000,` +
		`"p50_ms":59.5,"p90_ms":101,"p99_ms":121.2,"p99_9_ms":152,"max_ms":183,"sender_p99_ms":0.4,"sender_p99_9_ms":1.9,"sender_max_ms":12,"sender_ok":true}` + "\n"
	if err := json.NewEncoder(&got).Encode(line); err != nil || got.String() != want {
		t.Errorf("%v\n got %s\nwant %s", err, got.String(), want)
	}
	var d meter.Delays
	for i := range 1000 {
		d = append(d, time.Duration(i+1)*10*time.Microsecond)
	}
	if got := shown(d, 99); got != 9.9 {
		t.Errorf("p99 %v", got)
	}
}
