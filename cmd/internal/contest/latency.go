package contest

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Times of a latency run in seconds.
const (
	settleSeconds = 10 // from the contender's start to the first record
	warmupSeconds = 20 // of the load, not measured
	stepsBehind   = 3  // without a record at the sink: the load has ended
)

// latency has the probe send records at a rate through a contender that does not
// stop by itself, and checks the output like any other.
func (s *Site) latency(ctx context.Context, j Job, r *Result) error {
	j.In, j.Out = j.AppID+"-in", j.AppID+"-out"
	for _, topic := range []string{j.In, j.Out} {
		if _, err := s.Cluster.CreateTopic(ctx, topic, partitions, true); err != nil {
			return err
		}
	}
	child, _, err := s.start(j)
	if err != nil {
		return err
	}
	defer child.Kill()
	began := time.Now()
	select {
	case <-child.Done():
		r.Check = fmt.Sprintf("ended with %v: %s", child.Err(), child.LastWords())
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(settleSeconds * time.Second):
	}
	said, err := s.probe(ctx, j)
	if err != nil {
		return err
	}
	stop, cancel := context.WithTimeout(ctx, stopTimeout)
	defer cancel()
	if err := child.Terminate(stop); err != nil {
		r.Check = err.Error()
		return nil
	}
	if err := s.unpin(); err != nil {
		return err
	}
	r.Seconds = time.Since(began).Seconds()
	if err := s.check(ctx, j, r, sinkOf(j)); err != nil || !r.Passed() {
		return err
	}
	if r.Percentiles, err = percentiles(said); err != nil {
		r.Check = err.Error()
	}
	return nil
}

// sinkOf is what a latency run must have in its sink.
func sinkOf(j Job) string {
	if j.Step.Entry.Peer == Loop {
		return "copy"
	}
	return j.Step.Load.Workload
}

// probe runs the load beside the broker and returns what it printed.
func (s *Site) probe(ctx context.Context, j Job) (string, error) {
	seconds := int(j.Step.Entry.Records)/j.Step.Load.Rate + warmupSeconds
	cmd := exec.CommandContext(ctx, s.Tools.Self, "lat", "-brokers", s.Brokers, "-in", j.In, "-out", j.Out,
		"-rate", strconv.Itoa(j.Step.Load.Rate), "-keys", strconv.FormatInt(j.Step.Load.Keys, 10),
		"-duration", fmt.Sprintf("%ds", seconds), "-warmup", fmt.Sprintf("%ds", warmupSeconds), "-drain", fmt.Sprintf("%ds", stepsBehind))
	log, err := os.Create(filepath.Join(j.Dir, "probe"))
	if err != nil {
		return "", fmt.Errorf("contest: the probe's log: %w", err)
	}
	defer log.Close()
	cmd.Stderr = log
	out, err := cmd.Output()
	if err != nil {
		text, _ := os.ReadFile(log.Name())
		return "", fmt.Errorf("contest: the probe: %w: %s", err, strings.TrimSpace(string(text)))
	}
	return string(out), nil
}

var (
	delayWords  = regexp.MustCompile(`delay ms: p50 ([0-9.]+) p99 ([0-9.]+) p99\.9 ([0-9.]+)`)
	senderWords = regexp.MustCompile(`sender behind schedule ms: p99 [0-9.]+ p99\.9 ([0-9.]+)`)
)

// percentiles reads what the probe has printed.
func percentiles(said string) (p Percentiles, err error) {
	delay, sender := delayWords.FindStringSubmatch(said), senderWords.FindStringSubmatch(said)
	if delay == nil || sender == nil {
		return p, fmt.Errorf("contest: no percentiles in what the probe printed: %q", said)
	}
	for i, text := range append(delay[1:], sender[1]) {
		*[]*float64{&p.P50, &p.P99, &p.P999, &p.Sender}[i], err = strconv.ParseFloat(text, 64)
		if err != nil {
			return p, fmt.Errorf("contest: percentiles of the probe: %w", err)
		}
	}
	return p, nil
}
