package compare

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/millrace/millrace/cmd/internal/proc"
)

// A Job is what a contender is told to do in one run.
type Job struct {
	Step    Step
	Brokers string
	In, Out string
	// AppID names the consumer group and prefixes every topic of the contender.
	AppID string
	// Dir takes the state and the logs of the run.
	Dir string
	// Limit is the longest time the contender may take, in seconds.
	Limit int
	// Matched is the last good run of Millrace on this load, for the loop that
	// matches it; nil: there was none.
	Matched *Result
}

// Tools are where the contenders are.
type Tools struct {
	// Self is the bench binary: loops and Millrace.
	Self string
	// Peers is the folder of the others, testdata/peers of the repository.
	Peers string
}

// threads of the contender.
func (s Step) threads() int {
	switch {
	case s.Load.Threads > 0:
		return s.Load.Threads
	case s.Layout == Pinned:
		return 1
	}
	return 2
}

// Command is the command line of a job.
func (t Tools) Command(j Job) proc.Command {
	c := proc.Command{Stdout: filepath.Join(j.Dir, "out"), Stderr: filepath.Join(j.Dir, "log")}
	if j.Step.Layout == Pinned {
		c.Cores = "1"
		c.Env = []string{"GOMAXPROCS=1"}
	}
	switch j.Step.Entry.Peer {
	case Loop:
		c.Args = t.loop(j)
	case Millrace:
		c.Args = slices.Concat([]string{t.Self, "run"}, t.contender(j))
	default:
		c.Args = slices.Concat([]string{filepath.Join(t.Peers, j.Step.Entry.Peer, "run.sh")}, t.contender(j))
	}
	c.Args = append(c.Args, j.Step.Entry.Flags...)
	return c
}

// contender are the flags that all contenders share.
func (t Tools) contender(j Job) []string {
	e := j.Step.Entry
	args := []string{
		"--workload", j.Step.Load.Workload, "--in", j.In, "--out", j.Out, "--brokers", j.Brokers,
		"--commit-ms", strconv.Itoa(e.CommitMS), "--threads", strconv.Itoa(j.Step.threads()), "--guarantee", "eos",
		"--state-dir", filepath.Join(j.Dir, "state"), "--app-id", j.AppID, "--max-s", strconv.Itoa(j.Limit),
	}
	if name, _, _ := strings.Cut(e.Config, "-"); name != "" {
		args = append(args, "--config", name)
	}
	if j.Step.Load.Grace > 0 {
		args = append(args, "--grace-ms", strconv.FormatInt(j.Step.Load.Grace, 10))
	}
	if j.Step.Load.Rate > 0 {
		args = append(args, "--forever")
	}
	return args
}

func (t Tools) loop(j Job) []string {
	e := j.Step.Entry
	args := []string{
		t.Self, "loop", "-mode", e.Config, "-interval", fmt.Sprintf("%dms", e.CommitMS),
		"-brokers", j.Brokers, "-in", j.In, "-out", j.Out, "-group", j.AppID,
	}
	if j.Step.Load.Rate > 0 {
		return append(args, "-follow", "-linger", "0")
	}
	args = append(args, "-max-s", strconv.Itoa(j.Limit))
	if e.matches() && j.Matched != nil {
		args = append(args, matchedFlags(j.Step.Load, *j.Matched)...)
	}
	return args
}

// reported reads what the contender has printed: its last line that is JSON.
func reported(path string) (r Reported, err error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return r, fmt.Errorf("compare: what the contender printed: %w", err)
	}
	lines := bytes.Split(bytes.TrimSpace(content), []byte("\n"))
	for _, line := range slices.Backward(lines) {
		if bytes.HasPrefix(line, []byte("{")) {
			if err := json.Unmarshal(line, &r); err != nil {
				return r, fmt.Errorf("compare: the contender printed %q: %w", line, err)
			}
			return r, nil
		}
	}
	return r, nil // it has printed no figures
}
