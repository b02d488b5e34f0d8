package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"time"

	"github.com/millrace/millrace/cmd/bench/internal/meter"
	"github.com/millrace/millrace/cmd/bench/internal/probe"
	"github.com/millrace/millrace/cmd/internal/workload"
)

// senderLimit is how late the sender may be at its p99.9, in ms: beyond, the probe has
// measured itself and the machine, not the contender.
const senderLimit = 2

// latencyLine is the JSON line about one probe. Delays are in ms.
type latencyLine struct {
	Rate     int64   `json:"rate"`
	Duration float64 `json:"duration_s"`
	Warmup   float64 `json:"warmup_s"`
	Sent     int64   `json:"sent"`
	Expected int64   `json:"expected"`
	Received int64   `json:"received"`
	Repeated int64   `json:"repeated"`
	Measured int     `json:"measured"`

	P50  float64 `json:"p50_ms"`
	P90  float64 `json:"p90_ms"`
	P99  float64 `json:"p99_ms"`
	P999 float64 `json:"p99_9_ms"`
	Max  float64 `json:"max_ms"`
	// How far the sender was behind its schedule.
	SenderP99  float64 `json:"sender_p99_ms"`
	SenderP999 float64 `json:"sender_p99_9_ms"`
	SenderMax  float64 `json:"sender_max_ms"`
	// SenderOK is false for a run whose p99 and above are not to be quoted.
	SenderOK bool `json:"sender_ok"`
}

// latency measures the delay through a contender that runs already.
func latency(fs *flag.FlagSet) action {
	p := probe.Probe{}
	fs.StringVar(&p.In, "in", "", "source topic, empty; filled by this command")
	fs.StringVar(&p.Out, "out", "", "sink topic, empty; filled by the contender")
	name := fs.String("workload", "copy", "what the contender does: copy (the loops) or map")
	fs.DurationVar(&p.Duration, "duration", 30*time.Second, "time to send")
	fs.DurationVar(&p.Warmup, "warmup", 5*time.Second, "records due in this time are not measured")
	fs.DurationVar(&p.Drain, "drain", 3*time.Second, "after sending, stop when nothing came for this long")
	fs.DurationVar(&p.Ready, "ready", time.Minute, "wait at most this long until the contender passes records on")
	params := parameters(fs)
	return func(ctx context.Context, cluster workload.Cluster, out io.Writer) (err error) {
		if p.In == "" || p.Out == "" {
			return errors.New("lat: -in and -out are required")
		}
		if *name != "copy" && *name != "map" {
			return fmt.Errorf("lat: no latency of the workload %q, want copy or map, which keep the sequence numbers", *name)
		}
		if p.Gen, err = workload.NewGen(*params); err != nil {
			return err
		}
		p.Cluster, p.Filtered = cluster, *name == "map"
		l, err := p.Run(ctx)
		if err != nil {
			return err
		}
		if err := json.NewEncoder(out).Encode(latencyOf(p, l)); err != nil {
			return err
		}
		if l.Received < l.Expected {
			return fmt.Errorf("lat: %d of %d records have not come", l.Expected-l.Received, l.Expected)
		}
		return nil
	}
}

func latencyOf(p probe.Probe, l probe.Latency) latencyLine {
	delay, behind := l.Delay.Sorted(), l.Behind.Sorted()
	line := latencyLine{
		Rate: p.Gen.Rate, Duration: p.Duration.Seconds(), Warmup: p.Warmup.Seconds(),
		Sent: l.Sent, Expected: l.Expected, Received: l.Received, Repeated: l.Repeated, Measured: len(delay),
		P50: shown(delay, 50), P90: shown(delay, 90), P99: shown(delay, 99), P999: shown(delay, 99.9), Max: shown(delay, 100),
		SenderP99: shown(behind, 99), SenderP999: shown(behind, 99.9), SenderMax: shown(behind, 100),
	}
	line.SenderOK = line.SenderP999 <= senderLimit
	return line
}

// shown is a percentile with one digit behind the point.
func shown(sorted meter.Delays, percent float64) float64 { return meter.Round(sorted.At(percent), 1) }
