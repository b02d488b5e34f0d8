package compare

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Times of a latency run in seconds.
const (
	readySeconds  = 60 // at most, until the contender passes on what it gets
	warmupSeconds = 20 // of the load, not measured
	drainSeconds  = 3  // without a record at the sink: the load has ended
)

// latency has the probe send records at a rate through a contender that does not
// stop by itself, and checks the output like any other.
func (s *Site) latency(ctx context.Context, j Job, r *Result) error {
	j.In, j.Out = j.AppID+"-in", j.AppID+"-out"
	for _, topic := range []string{j.In, j.Out} {
		if err := s.create(ctx, topic, j.Step.Load.partitions()); err != nil {
			return err
		}
	}
	child, _, err := s.start(j)
	if err != nil {
		return err
	}
	defer child.Kill()
	began := time.Now()
	said, err := s.probe(ctx, j)
	if err != nil {
		r.Check = fmt.Sprintf("%v; the contender: %s", err, child.LastWords())
		return s.unpin()
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
func (s *Site) probe(ctx context.Context, j Job) ([]byte, error) {
	seconds := int(j.Step.Entry.Records)/j.Step.Load.Rate + warmupSeconds
	cmd := exec.CommandContext(ctx, s.Tools.Self, "lat", "-brokers", s.Brokers, "-in", j.In, "-out", j.Out,
		"-rate", strconv.Itoa(j.Step.Load.Rate), "-keys", strconv.FormatInt(j.Step.Load.Keys, 10),
		"-duration", fmt.Sprintf("%ds", seconds), "-warmup", fmt.Sprintf("%ds", warmupSeconds), "-drain", fmt.Sprintf("%ds", drainSeconds), "-ready", fmt.Sprintf("%ds", readySeconds), "-workload", sinkOf(j))
	log, err := os.Create(filepath.Join(j.Dir, "probe"))
	if err != nil {
		return nil, fmt.Errorf("compare: the probe's log: %w", err)
	}
	defer log.Close()
	cmd.Stderr = log
	out, err := cmd.Output()
	if err != nil {
		text, _ := os.ReadFile(log.Name())
		return nil, fmt.Errorf("compare: the probe: %w: %s", err, strings.TrimSpace(string(text)))
	}
	return out, nil
}

// percentiles reads what the probe has printed.
func percentiles(said []byte) (p Percentiles, err error) {
	if err := json.Unmarshal(said, &p); err != nil || p.P50 <= 0 {
		return p, fmt.Errorf("compare: no percentiles in what the probe printed: %q (%v)", said, err)
	}
	return p, nil
}
