package compare

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// Pass is the Check of a run whose output is right.
const Pass = "pass"

// A Result is what is known about one run: a line of the history. It names no
// machine.
type Result struct {
	Row
	At time.Time `json:"at"`
	// Processor and Cores describe the machine.
	Processor string `json:"processor,omitempty"`
	Cores     int    `json:"cores,omitempty"`
	// Check is Pass, or what is wrong. Only a run that passed has figures.
	Check string `json:"check"`
	// Slack is what the check granted, in ms of event time.
	Slack int64 `json:"slack_ms,omitempty"`
	Figures
	Percentiles
	// PeakRSS is the greatest resident size of the contender in bytes.
	PeakRSS int64 `json:"peak_rss,omitempty"`
	// Seconds is how long the contender ran.
	Seconds float64 `json:"seconds,omitempty"`
	// Sink is the number of rows in the sink.
	Sink int64 `json:"sink,omitempty"`
	Reported
}

// Figures are what the observer saw between 30 % and 90 % of the input.
type Figures struct {
	// Rate in records per second.
	Rate float64 `json:"rec_per_s,omitempty"`
	// Steady is how long that took in seconds, Commits how many commits were seen
	// in the whole run.
	Steady  float64 `json:"steady_s,omitempty"`
	Commits int     `json:"commits_seen,omitempty"`
	// CPU and Broker are CPU seconds per million records of the contender and of the
	// broker.
	CPU    float64 `json:"cpu_s_per_mrec,omitempty"`
	Broker float64 `json:"broker_s_per_mrec,omitempty"`
	// Others is what the rest of the machine used, in % of one core.
	Others float64 `json:"others_pct"`
}

// Percentiles are delays of a latency run in ms, from when a record was due to when
// it was read at the sink.
type Percentiles struct {
	P50  float64 `json:"p50_ms,omitempty"`
	P99  float64 `json:"p99_ms,omitempty"`
	P999 float64 `json:"p99_9_ms,omitempty"`
	// Sender is how late the load was itself at the 99.9th percentile.
	Sender float64 `json:"sender_p99_9_ms,omitempty"`
}

// Reported is what only the contender itself can know.
type Reported struct {
	// Complete: it says that it has drained its input.
	Complete *bool `json:"complete,omitempty"`
	// Outputs and Changelog are the records it produced and their bytes: what a loop
	// that matches it has to produce.
	Outputs        int64 `json:"outputs,omitempty"`
	OutputBytes    int64 `json:"output_bytes,omitempty"`
	Changelog      int64 `json:"changelog,omitempty"`
	ChangelogBytes int64 `json:"changelog_bytes,omitempty"`
	Transactions   int64 `json:"commits,omitempty"`
}

// Passed reports whether the run has figures.
func (r Result) Passed() bool { return r.Check == Pass }

// ReadHistory reads all lines; no file is an empty history. A line that cannot be
// read is an error: it would be repeated in silence.
func ReadHistory(path string) (all []Result, err error) {
	content, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("compare: history: %w", err)
	}
	n := 0
	for line := range bytes.Lines(content) {
		n++
		if len(bytes.TrimSpace(line)) == 0 {
			continue
		}
		var r Result
		if err := json.Unmarshal(line, &r); err != nil {
			return nil, fmt.Errorf("compare: history %s line %d: %w", path, n, err)
		}
		all = append(all, r)
	}
	return all, nil
}

// AppendHistory adds a line.
func AppendHistory(path string, r Result) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("compare: history: %w", err)
		}
	}()
	line, err := json.Marshal(r)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	_, err = f.Write(append(line, '\n'))
	return errors.Join(err, f.Close())
}
