package main

import (
	"context"
	"encoding/json"
	"io"
	"strings"
	"testing"
)

// The probe goes through Millrace, and through a loop, while they run without an end;
// stopped, they print their figures and are not called incomplete.
func TestLatency(t *testing.T) { testLatency(t, fakeBroker(t)) }

func testLatency(t *testing.T, brokers string) {
	for contender, args := range map[string]string{
		"map":  "run -workload map -forever -commit-ms 10 -app-id lat",
		"copy": "loop -mode L2p -follow -interval 10ms -linger 0",
	} {
		t.Run(contender, func(t *testing.T) {
			in, out := "lat-in-"+contender, "lat-out-"+contender
			do(t, brokers, "topic -partitions 2 -topic "+in+","+out)
			ctx, stop := context.WithCancel(t.Context())
			defer stop()
			printed, ended := make(chan string, 1), make(chan error, 1)
			go func() {
				words := strings.Fields(args + " -in " + in + " -out " + out)
				var out strings.Builder
				ended <- run(ctx, append([]string{words[0], "-brokers", brokers}, words[1:]...), &out, io.Discard)
				printed <- out.String()
			}()
			raw := do(t, brokers, "lat -rate 2000 -duration 500ms -warmup 100ms -drain 20s -workload "+contender+" -in "+in+" -out "+out)
			stop()
			if err := <-ended; err != nil {
				t.Error(err)
			}
			var line latencyLine
			if err := json.Unmarshal([]byte(raw), &line); err != nil {
				t.Fatal(err)
			}
			if filtered := line.Expected < line.Sent; filtered != (contender == "map") {
				t.Errorf("%s", raw)
			}
			if line.Sent != 1000 || line.Received != line.Expected || line.Repeated != 0 || line.Measured < 700 || line.P50 <= 0 || line.Max < line.P99 {
				t.Errorf("%s", raw)
			}
			var f figures
			if err := json.Unmarshal([]byte(<-printed), &f); err != nil || f.Commits < 1 || f.Outputs != line.Expected+2 { // two greetings
				t.Errorf("%v %+v, and %s", err, f, raw)
			}
		})
	}
}

func TestBadLatencies(t *testing.T) {
	brokers := fakeBroker(t)
	for args, complaint := range map[string]string{
		"":                               "-in and -out are required",
		"-in in -out out -workload hop":  `no latency of the workload "hop"`,
		"-in in -out out -rate 0":        "rate 0",
		"-in none -out out":              "topic none",
		"-in in -out out -duration 1ns ": "0 records",
	} {
		if _, err := try(t, brokers, "lat "+args); err == nil || !strings.Contains(err.Error(), complaint) {
			t.Errorf("lat %s: %v, want %q", args, err, complaint)
		}
	}
}
